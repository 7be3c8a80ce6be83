import math

import pytest
from matplotlib.figure import Figure

from gossip_trainer.compare import plots

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draw a report and return its figures by file; how pixels are made is matplotlib's."""
    figures = {}
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, path, **_: figures.update({path.name: figure})
    )

    def draw(report):
        plots.draw_all(report, tmp_path)
        return figures

    return draw


def crossing(strategy, workers, seed, _rate):
    ahead = {"all-reduce": {4: 10.0, 16: 9.0}, "pull-gossip": {4: 14.0, 16: 4.0}}
    return ahead[strategy][workers] + 0.1 * seed + 0.05 * (seed == 1) * (strategy == "all-reduce")


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def filled(axes, strategy_colour):
    marks = [line for line in axes.lines if line.get_marker() not in {"None", "", None}]
    return [m.get_markerfacecolor() for m in marks if m.get_color() == strategy_colour]


def test_three_pngs_are_written_without_any_warning(report, tmp_path):
    plots.draw_all(report(crossing), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["curves.png", "samples-to-target.png", "time-to-target.png"]
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.iterdir())


def test_there_is_a_panel_of_curves_for_every_size_with_the_target_and_all_strategies(
    report, drawn
):
    figure = drawn(report(crossing))["curves.png"]
    assert [axes.get_title("left") for axes in figure.axes] == ["4 workers", "16 workers"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["all-reduce", "pull-gossip"]
    (target,) = (line for line in figure.axes[0].lines if line.get_linestyle() == "--")
    assert list(target.get_ydata()) == [0.8, 0.8]


def test_every_seed_is_marked_where_it_reaches_the_target(report, drawn):
    axes = drawn(report(crossing))["curves.png"].axes[0]
    marks = [list(line.get_xdata()) for line in axes.lines if line.get_marker() in {"o", "s"}]
    assert marks == [pytest.approx([10.0, 10.15, 10.2]), pytest.approx([14.0, 14.1, 14.2])]


def test_curves_of_a_loss_are_losses(report, drawn):
    figure = drawn(report(crossing, target=("loss", 0.5)))["curves.png"]
    assert figure.axes[0].get_yscale() == "log"
    assert "loss of the averaged model" in figure.get_suptitle()


def test_lines_over_sizes_are_labelled_where_they_end_and_the_crossover_is_marked(report, drawn):
    found = report(crossing)
    figure = drawn(found)["time-to-target.png"]
    (crossover,) = found.crossovers
    assert crossover.is_certain
    said = texts(figure)
    assert {"all-reduce", "pull-gossip", "ideal"} < set(said)
    assert any(text.startswith("all-reduce\nto pull-gossip\nat ") for text in said)
    assert any(list(line.get_xdata()) == [crossover.at] * 2 for line in figure.axes[0].lines)


def test_a_lower_bound_is_hollow(report, drawn):
    def seconds(strategy, workers, seed, rate):
        if strategy == "pull-gossip" and workers == 16 and seed == 0:
            return math.inf
        return crossing(strategy, workers, seed, rate)

    axes = drawn(report(seconds))["time-to-target.png"].axes[0]
    assert filled(axes, "#D55E00") == ["#D55E00", "white"]
    assert filled(axes, "#0072B2") == ["#0072B2", "#0072B2"]
    assert "hollow" in axes.get_title("left")


def test_samples_are_drawn_like_times(report, drawn):
    axes = drawn(report(crossing))["samples-to-target.png"].axes[0]
    heights = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 2]
    assert heights[0] == pytest.approx([1011.67, 911.67], abs=0.01)


def test_a_comparison_of_which_nothing_is_known_can_be_drawn(report, drawn):
    assert len(drawn(report(lambda *_: "no memory"))) == 3
