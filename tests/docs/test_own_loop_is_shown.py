"""The training script in the README is the one that the sample runs."""

from documented_commands import ROOT, blocks_of

SCRIPT = ROOT / "manifests" / "samples" / "own_loop.py"


def test_the_readme_shows_the_samples_script_as_it_is():
    shown = [block.text for block in blocks_of(ROOT / "README.md") if block.language == "python"]
    assert shown == [SCRIPT.read_text().rstrip("\n")]


def test_the_script_fits_on_a_screen():
    assert len(SCRIPT.read_text().splitlines()) <= 32
