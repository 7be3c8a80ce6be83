"""The words that conditions and Events give as their reasons."""

import re

import pytest

from gossip_api.reasons import EventReason, Reason

WORDS = [*Reason, *EventReason]


@pytest.mark.parametrize("word", WORDS)
def test_a_reason_is_one_word_as_kubernetes_wants_it(word):
    assert re.fullmatch(r"[A-Z][A-Za-z]*", word)
    assert str(word) == word.value
    assert word.name == re.sub(r"(?<!^)([A-Z])", r"_\1", word).upper()


@pytest.mark.parametrize("word", WORDS)
def test_a_reason_says_what_it_means_in_one_sentence(word):
    assert re.fullmatch(r"[A-Z`][^.]*\.", word.meaning)


def test_a_reason_is_read_from_its_word():
    assert Reason("SpecValid") is Reason.SPEC_VALID
