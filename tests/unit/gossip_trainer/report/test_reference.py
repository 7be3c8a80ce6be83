from pathlib import Path
from typing import Literal, get_args

import msgspec
import pytest

from gossip_trainer.observability.events import Record
from gossip_trainer.report import reference

EVENTS = get_args(Record)


@pytest.fixture(scope="module")
def text():
    return reference.reference()


def test_every_event_and_the_summary_have_a_section(text):
    for event in EVENTS:
        assert f"### `{event.__struct_config__.tag}`\n" in text
    assert "## summary.json\n" in text


def test_fields_of_every_record_are_described_once(text):
    assert text.count("| `source` | string |") == 1


def test_structs_inside_of_structs_have_one_section_each(text):
    for name in ("WorkerModel", "Measured", "Moment", "LostMember"):
        assert text.count(f"### `{name}`\n") == 1


def test_types_are_in_the_words_of_json(text):
    assert "| `loss` | number or null |" in text
    assert "| `workers` | list of `WorkerModel` |" in text
    assert '| `outcome` | "succeeded" or "failed" or "interrupted" |' in text


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_the_docstring_of_every_event_describes_exactly_its_fields(event):
    common = {"time", "source"}

    assert set(reference.described(event)) == set(event.__struct_fields__) - common


def test_a_text_over_several_lines_becomes_one():
    class Sample(msgspec.Struct):
        """Holds something.

        Attributes:
            first: begins here
                and ends here.
            second: short.

        """

        first: int
        second: str

    assert reference.described(Sample) == {
        "first": "begins here and ends here.",
        "second": "short.",
    }


def test_a_type_without_a_word_in_json_is_an_error_and_not_a_wrong_document():
    assert reference._type(Literal["a", "b"]) == '"a" or "b"'
    with pytest.raises(TypeError, match="teach this module"):
        reference._type(Path)


def test_the_document_in_the_repository_is_up_to_date(text):
    committed = Path(__file__).parents[4] / "docs" / "event-log.md"

    assert committed.read_text() == text, (
        "run: python -m gossip_trainer.report.reference > docs/event-log.md"
    )
