"""Every command in the documents says where it belongs, and what it names is there."""

import re
from pathlib import Path

import pytest
from documented_commands import PLACES, ROOT, blocks_of, documents, inline_commands
from typer.main import get_command

from gossip_trainer.cli.app import app

BLOCKS = [block for path in documents() for block in blocks_of(path)]
SHELL = [block for block in BLOCKS if block.language in {"sh", "bash", "shell", "console"}]
MAKEFILE = (ROOT / "Makefile").read_text()


def where(block):
    return f"{block.path.relative_to(ROOT)}:{block.line}"


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("block", SHELL, ids=where)
def test_a_block_of_commands_says_where_they_belong(block):
    assert block.language == "sh"
    assert block.places, "sh is followed by one or more of: " + ", ".join(sorted(PLACES))
    assert block.places <= PLACES
    assert ("needs" in block.options) == (block.places == {"elsewhere"})
    assert set(block.options) <= {"needs", "smaller"}


def test_what_looks_like_commands_is_a_block_of_commands():
    others = [block for block in BLOCKS if block.language in {"", "text"}]
    assert [where(block) for block in others if block.looks_like_commands] == []


def known_gossip_options():
    group = get_command(app)
    return {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()
    }


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_what_running_text_says_of_gossip_exists(path):
    known = known_gossip_options()
    for line in inline_commands(path, "gossip"):
        command, *words = line.split()[1:]
        assert command in known, line
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert options <= known[command] | {"--help"}, line


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_target_of_make_exists(path):
    text = path.read_text()
    named = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
    assert [name for name in named if f"\n{name}:" not in MAKEFILE] == []


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_link_leads_somewhere(path):
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    for target in targets:
        file, _, anchor = target.partition("#")
        if "://" in target or file.startswith("mailto:"):
            continue
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), target


def anchors(path: Path) -> set[str]:
    """Name the headings as a renderer of Markdown does."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
