"""The chart's README."""

from gossip_packaging.annotated import read_values
from gossip_packaging.readme import readme

CHART = {
    "name": "some-chart",
    "description": "What it is.",
    "version": "1.2.3",
    "kubeVersion": ">=1.31.0-0",
}
TEXT = """\
### Images

image:
  # -- When to pull.
  # @schema {enum: [Always, Never]}
  pullPolicy: Always
  # -- Tag.
  tag: ""

### Pod

# -- Labels.
labels: {}
"""


def test_every_value_has_a_row_below_its_heading():
    text = readme(CHART, read_values(TEXT))

    assert text.split("### Images\n")[1] == (
        "\n"
        "| value | default | meaning |\n"
        "|---|---|---|\n"
        '| `image.pullPolicy` | `"Always"` | When to pull. One of `Always`, `Never`. |\n'
        "| `image.tag` |  | Tag. |\n"
        "\n"
        "### Pod\n"
        "\n"
        "| value | default | meaning |\n"
        "|---|---|---|\n"
        "| `labels` | `{}` | Labels. |\n"
    )


def test_it_says_which_chart_it_is_and_for_which_kubernetes():
    text = readme(CHART, read_values(TEXT))

    assert "# some-chart\n\nWhat it is.\n" in text
    assert "Chart 1.2.3, for Kubernetes from 1.31.0 on." in text
