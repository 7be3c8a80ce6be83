"""YAML trees: places, bounds, and what is wrong without stopping the rest."""

import pytest
import yaml

from gossip_api import yaml_tree
from gossip_api.errors import InvalidJob
from gossip_api.yaml_tree import MAX_DEPTH, Mark, read_documents, read_value, shorten


@pytest.fixture(params=["CLoader", "Loader"], autouse=True)
def _with_and_without_libyaml(request, monkeypatch):
    """Both parsers must give the same; where libyaml is missing the second stands in."""
    monkeypatch.setattr(yaml_tree, "_PARSER", getattr(yaml, request.param, yaml.Loader))


def only(text):
    (document,) = read_documents(text, "f")
    return document


def refusal(text):
    with pytest.raises(InvalidJob) as caught:
        read_documents(text, "f")
    (problem,) = caught.value.problems
    return problem


def test_a_document_becomes_json():
    text = "a: [1, x, {b: true}]\nc:\n  d: 1e-3\n'e f': null\n"
    assert only(text).root.plain() == {"a": [1, "x", {"b": True}], "c": {"d": 1e-3}, "e f": None}


def test_keys_and_values_know_their_places():
    root = only("a:\n  - x\n  - {b: 1}\n").root
    entry = root.value["a"]
    assert entry.mark == Mark("f", 1, 1)
    assert [item.mark for item in entry.node.value] == [Mark("f", 2, 5), Mark("f", 3, 5)]
    assert entry.node.value[1].value["b"].node.mark == Mark("f", 3, 9)


def test_several_documents_are_kept_apart():
    documents = read_documents("a: 1\n---\nb: 2\n---\n", "f")
    assert [document.root.plain() for document in documents] == [{"a": 1}, {"b": 2}, None]


def test_no_document_in_an_empty_text():
    assert read_documents("# nothing\n", "f") == []


def test_aliases_are_expanded():
    assert only("a: &x {b: 1}\nc: *x\nd: *x\n").root.plain() == {key: {"b": 1} for key in "acd"}


def test_broken_syntax_names_the_place():
    problem = refusal("a: 1\nb: [1,\nc: }\n")
    assert problem.line == 3
    assert problem.message.startswith("is not YAML: ")


@pytest.mark.parametrize(
    "text", ["a: 1\n\tb: 2\n", "a: 'x", "{", "%YAML 9.0\n---\na", "a: \x00", "@"]
)
def test_every_syntax_error_is_an_invalid_job(text):
    assert refusal(text).message.startswith("is not YAML: ")


def test_half_a_character_in_the_text_is_an_invalid_job():
    assert "YAML" in refusal("a: \ud800").message or "Unicode" in refusal("a: \ud800").message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: *x", "has no anchor before it"),
        ("&x [*x]", "stands inside the value it names"),
        ("&x {a: {b: *x}}", "stands inside the value it names"),
    ],
)
def test_aliases_to_nothing_or_to_themselves_are_refused(text, message):
    assert message in refusal(text).message


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    problem = refusal("\n".join(lines))
    assert "holds too much" in problem.message
    assert problem.path.startswith("a1")


def test_many_values_are_refused():
    ten = "- " + "\n- ".join("x" * 10) + "\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_tree, "MAX_SIZE", 10)
        assert "holds too much" in refusal(ten).message
    assert len(only(ten).root.plain()) == 10


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening):
    assert "nested too deep" in refusal(opening * (MAX_DEPTH + 1)).message


def test_depth_through_aliases_is_refused():
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    assert "nested too deep" in refusal("\n".join(lines)).message


def test_depth_at_the_limit_is_read():
    value = only("[" * MAX_DEPTH + "]" * MAX_DEPTH).root.plain()
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


@pytest.mark.parametrize(
    ("text", "place", "path", "message"),
    [
        ("a: 1\na: 2", (2, 1), "a", "is given twice (first in line 1)"),
        ("a: {1: x}", (1, 5), "a", "got 1 as a key; keys must be text"),
        ("a: {true: x}", (1, 5), "a", "got true as a key"),
        ("{? [x] : y}", (1, 4), "", "got a mapping or a list as a key"),
        ("? \n: y", (1, 2), "", "got nothing as a key"),
        ("a: .nan", (1, 4), "a", "got .nan; must be a finite number"),
        ("a: [!!binary AAAA]", (1, 5), "a.0", "got AAAA; must be text, a number"),
        ("a: !!set {b: }", (1, 4), "a", "got the tag tag:yaml.org,2002:set"),
    ],
)
def test_lesser_faults_are_reported_and_the_rest_is_read(text, place, path, message):
    document = only(text)
    (problem,) = document.problems
    assert (problem.line, problem.column) == place
    assert problem.path == path
    assert problem.message.startswith(message)


def test_the_first_of_two_equal_keys_counts():
    assert only("a: 1\na: 2").root.plain() == {"a": 1}


def test_a_single_value_has_no_lines():
    document = read_value("[1, .inf]", "--set")
    assert document.root.plain() == [1, None]
    assert document.root.value[0].mark == Mark("--set")
    assert document.problems[0].line is None


def test_no_text_is_null():
    assert read_value("", "--set").root.plain() is None


def test_two_values_are_refused():
    with pytest.raises(InvalidJob, match="must be one value"):
        read_value("a\n---\nb", "--set")


def test_long_or_unprintable_texts_are_made_fit_for_a_message():
    assert shorten("x" * 61) == "x" * 57 + "..."
    assert shorten("a\nb") == "a\\nb"
