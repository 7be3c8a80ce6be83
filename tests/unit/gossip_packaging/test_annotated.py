"""Reading values.yaml with its comments."""

import pytest

from gossip_packaging.annotated import Group, Section, Value, read_values

TEXT = """\
# What this file is.

### Images

image:
  # -- Where it comes from,
  # and why.
  # @schema {minLength: 1}
  repository: operator
  # -- Which one.
  tag: ""

### The pod

# -- Labels.
labels: {a: b}
"""


def test_values_have_their_description_default_and_restriction_under_a_heading():
    assert read_values(TEXT) == [
        Section(
            "Images",
            [
                Group(
                    "image",
                    (
                        Value(
                            "repository",
                            "Where it comes from, and why.",
                            "operator",
                            {"minLength": 1},
                        ),
                        Value("tag", "Which one.", "", {}),
                    ),
                )
            ],
        ),
        Section("The pod", [Value("labels", "Labels.", {"a": "b"}, {})]),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("### A\n\n# -- Known.\na: 1\nb: 2\n", "line 5: b has no comment"),
        ("### A\n\n# not a description\na: 1\n", "line 4: a has no comment"),
        ("### A\n\na: {}\n", "line 3: a has no comment"),
        ("# -- Known.\na: 1\n", "line 2: a stands above the first '### '"),
        ("# Nothing.\n", "line 1: there are no values"),
    ],
)
def test_what_nobody_describes_is_an_error_that_names_the_line(text, complaint):
    with pytest.raises(ValueError, match=f"^{complaint}"):
        read_values(text)
