import math

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gossip_trainer.report import curves
from gossip_trainer.report.history import History, fold

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draw a history and return the figure; how pixels are made is matplotlib's business."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))

    def draw(history: History) -> Figure:
        curves.draw_curves(history, tmp_path / "curves.png", "digits: Gossip, 2 workers")
        return figures.pop()

    return draw


@pytest.fixture
def records(began, progress, evaluation):
    return [
        began(),
        *(progress(at=t, job_samples=round(6400 * t), loss=2 / t) for t in (1.0, 2.0, 3.0)),
        *(
            evaluation(at=t, seconds=t, job_samples=round(6400 * t), accuracy=t / 4)
            for t in (1.5, 2.5)
        ),
    ]


def labelled(axes: Axes, label: str) -> list[list[float]]:
    return [list(line.get_ydata()) for line in axes.lines if line.get_label() == label]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_it_writes_a_png_without_any_warning(tmp_path, records):
    path = tmp_path / "curves.png"

    curves.draw_curves(fold(records), path, "digits: Gossip, 2 workers")

    assert path.read_bytes().startswith(PNG)


def test_there_is_loss_and_accuracy_over_time_and_over_samples_and_the_consensus_distance(
    drawn, records
):
    panels = [(axes.get_title("left"), axes.get_xlabel()) for axes in drawn(fold(records)).axes]

    time, samples = "seconds of training", "samples, all workers together"
    assert panels == [
        ("loss", time),
        ("accuracy on held-out data", time),
        ("loss", samples),
        ("accuracy on held-out data", samples),
        ("consensus distance: how far the workers' models are from their average", time),
    ]


def test_where_there_are_no_classes_there_is_no_accuracy(drawn, began, evaluation):
    figure = drawn(fold([began(), evaluation(accuracy=None, workers=())]))

    assert [axes.get_title("left")[:9] for axes in figure.axes] == ["loss", "loss", "consensus"]
    assert labelled(figure.axes[0], "averaged model") == [[0.4]]


def test_the_average_and_every_workers_own_model_are_drawn(drawn, records):
    accuracy = drawn(fold(records)).axes[1]

    assert labelled(accuracy, "averaged model") == [[0.375, 0.625]]
    assert labelled(accuracy, "a worker's own model") == [[0.88, 0.88], [0.86, 0.86]]


def test_the_training_loss_is_drawn_for_every_worker(drawn, records):
    assert labelled(drawn(fold(records)).axes[0], "training loss of a worker") == [
        [2.0, 1.0, pytest.approx(2 / 3)]
    ]


def test_a_lost_worker_is_marked_by_name_at_its_time(drawn, records, left):
    figure = drawn(fold([*records, left(at=2.0)]))

    assert texts(figure).count("worker-1-0") == 3  # in each of the panels over time
    (mark,) = (line for line in figure.axes[0].lines if line.get_label() == "a worker was lost")
    assert list(mark.get_xdata()) == [2.0, 2.0]


def test_a_run_without_records_says_that_there_is_no_data(drawn):
    assert texts(drawn(History())) == ["no data"] * 5


def test_a_single_evaluation_is_a_visible_point(drawn, began, evaluation):
    accuracy = drawn(fold([began(), evaluation()])).axes[1]

    assert all(line.get_marker() == "." for line in accuracy.lines)


def test_consensus_distances_have_a_log_scale_from_which_equal_models_are_left_out(
    drawn, began, evaluation
):
    distances = [evaluation(at=1.0, consensus_distance=d) for d in (0.0, 0.5, None)]

    consensus = drawn(fold([began(), *distances])).axes[4]

    assert consensus.get_yscale() == "log"
    (line,) = consensus.lines
    assert [y for y in line.get_ydata() if not math.isnan(y)] == [0.5]


def test_models_that_never_differ_have_a_linear_scale(drawn, began, evaluation):
    consensus = drawn(fold([began(), evaluation(consensus_distance=0.0)])).axes[4]

    assert consensus.get_yscale() == "linear"


def test_losses_of_different_magnitude_have_a_log_scale(drawn, began, progress):
    close = [progress(at=1.0, loss=1.0), progress(at=2.0, loss=0.5)]
    wide = [*close, progress(at=3.0, loss=0.01)]

    assert drawn(fold([began(), *close])).axes[0].get_yscale() == "linear"
    assert drawn(fold([began(), *wide])).axes[0].get_yscale() == "log"


def test_losses_that_are_not_finite_are_gaps(drawn, began, progress):
    losses = [progress(at=float(t), loss=loss) for t, loss in enumerate([1.0, None, 3.0])]

    (line,) = labelled(drawn(fold([began(), *losses])).axes[0], "training loss of a worker")

    assert line == [1.0, pytest.approx(math.nan, nan_ok=True), 3.0]
