import io

from rich.console import Console

from gossip_trainer.observability.events import Replaced, WorkerModel
from gossip_trainer.report.history import fold
from gossip_trainer.report.summarize import summarize
from gossip_trainer.report.table import final_table


def shown(summary, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(final_table(summary, "runs/digits"))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_it_begins_with_the_outcome_and_its_reason(job):
    assert shown(summarize(fold([]), job(), state="failed", reason="no data"))[0] == (
        "digits failed: no data"
    )


def test_it_tells_what_was_trained_how_well_and_where_the_files_are(
    began, progress, evaluation, job
):
    history = fold([began(), progress(at=2.0), evaluation(at=2.0, final=True)])
    target = {"metric": "accuracy", "value": 0.9}

    lines = shown(summarize(history, job(target=target), state="succeeded", files=["a", "b"]))

    assert lines[1:8] == [
        "strategy Gossip, 2 workers",
        "training 2 s, 6,400 samples, 6.40 epochs, 400 beyond the budget",
        "averaged model accuracy 90.00%, loss 0.4, consensus distance 0.25",
        "workers' own accuracy 86.00% to 88.00%",
        "best accuracy 90.00% at 1.0 s",
        "target accuracy 0.9 reached at 1.0 s, 6,400 samples",
        "files runs/digits: a, b",
    ]


def test_where_there_are_no_classes_it_tells_losses(began, progress, evaluation, job):
    workers = tuple(
        WorkerModel(member=f"worker-{rank}-0", step=9, loss=loss, accuracy=None)
        for rank, loss in enumerate((0.5, 0.25))
    )
    history = fold([began(), progress(at=2.0), evaluation(accuracy=None, workers=workers)])

    lines = shown(summarize(history, job(), state="succeeded"))

    assert "averaged model loss 0.4, consensus distance 0.25 (before the end)" in lines
    assert "workers' own loss 0.25 to 0.5" in lines
    assert "best loss 0.4 at 1.0 s" in lines


def test_it_has_a_row_for_every_worker(began, progress, finished, job):
    history = fold([began(), progress(at=1.0), finished(at=2.0)])

    assert shown(summarize(history, job(), state="succeeded"))[-1] == (
        "worker-0-0 finished 100 50.0 90 0 4 1.5 9 MB 8 MB"
    )


def test_it_says_who_was_lost_and_replaced(began, left, job):
    replaced = Replaced(time=1_000_004.0, member="worker-1-1", instead_of="worker-1-0")

    lines = shown(summarize(fold([began(), left(at=3.0), replaced]), job(), state="succeeded"))

    assert "lost worker-1-0 at 3.0 s: killed by SIGKILL" in lines
    assert "replaced worker-1-0 by worker-1-1 at 4.0 s" in lines


def test_it_says_if_the_target_was_not_reached_or_the_model_is_not_final(began, evaluation, job):
    history = fold([began(), evaluation()])

    lines = shown(
        summarize(history, job(target={"metric": "loss", "value": 0.1}), state="interrupted"), 100
    )

    assert "target loss 0.1 was not reached" in lines
    assert any(line.endswith("(before the end)") for line in lines)
