import pytest

from gossip_trainer.compare import real
from gossip_trainer.compare.real import run_cell
from gossip_trainer.errors import RunError
from gossip_trainer.launch.local_run import RunOutcome
from gossip_trainer.observability.event_log import EventLog
from gossip_trainer.observability.events import Began, Evaluation, Progress


def progress(step):
    return Progress(
        step=step,
        samples=8 * step,
        job_samples=16 * step,
        epoch=0.1,
        loss=1.0,
        learning_rate=0.1,
        samples_per_second=1.0,
        exchanges=1,
        lost=0,
        skipped=0,
        staleness=None,
        received_bytes=100 * step,
        sent_bytes=0,
        unpublished=0,
        peers=1,
    )


def evaluation(seconds, accuracy, *, loss=1.0, final=False):
    return Evaluation(
        seconds=seconds,
        job_samples=round(100 * seconds),
        epoch=0.1,
        averaged=2,
        missed=(),
        loss=loss,
        accuracy=accuracy,
        consensus_distance=0.5,
        relative_consensus_distance=0.1,
        min_step=0,
        max_step=0,
        workers=(),
        final=final,
    )


@pytest.fixture
def launcher(monkeypatch):
    """Stand in for the local launcher: write the records, each at its time, and end so."""
    told = {"records": [], "outcome": RunOutcome("succeeded"), "runs": []}

    def run(job, options, watch):
        told["runs"].append(options.out)
        options.out.mkdir(parents=True)
        for at, source, record in told["records"]:
            log = EventLog(options.out / "events.jsonl", source, clock=lambda at=at: 1000.0 + at)
            log.emit(record)
            log.close()
        watch([])
        return told["outcome"]

    monkeypatch.setattr(real, "run_locally", run)
    monkeypatch.setattr("gossip_trainer.report.curves.draw_curves", lambda *_: None)
    return told


@pytest.fixture
def two_workers(launcher):
    for rank in (0, 1):
        launcher["records"] += [
            (0.0, f"worker-{rank}-0", Began(model_from="seed", step=0, job_samples=0)),
            (1.0, f"worker-{rank}-0", progress(10)),
            (3.0, f"worker-{rank}-0", progress(30 + 20 * rank)),
        ]
    return launcher


@pytest.fixture
def cell(cells):
    (cell,) = cells("job", workers=(2,), mode="real")
    return cell


def test_counts_are_placed_between_what_the_workers_told_before_and_after(
    two_workers, cell, scratch
):
    two_workers["records"] += [
        (2.1, "evaluator-0-0", evaluation(2.0, 0.5)),
        (3.1, "evaluator-0-0", evaluation(3.0, 0.9, final=True)),
    ]
    found = run_cell(scratch, cell, lambda _: None)
    first, last = found.points
    assert (first.seconds, first.samples, first.accuracy) == (2.0, 200, 0.5)
    assert first.steps == pytest.approx((20 + 30) / 2)
    assert first.received_bytes == pytest.approx(100 * (10 + 30) / 2 / 2 + 100 * (10 + 50) / 2 / 2)
    assert last.steps == pytest.approx((30 + 50) / 2)
    assert found.wall_seconds == pytest.approx(3.0)


def test_its_files_lie_in_a_directory_of_its_own_that_an_earlier_try_does_not_keep(
    two_workers, cell, scratch
):
    for _ in range(2):
        run_cell(scratch, cell, lambda _: None)
    assert two_workers["runs"] == [scratch / "runs" / cell.key] * 2
    assert (scratch / "runs" / cell.key / "summary.json").is_file()


def test_a_run_that_failed_is_an_error_with_its_reason_and_files(launcher, cell, scratch):
    launcher["outcome"] = RunOutcome("failed", "worker-0-0 was killed")
    with pytest.raises(RunError, match=rf"worker-0-0 was killed \(its files: .*{cell.key}\)"):
        run_cell(scratch, cell, lambda _: None)


def test_a_run_that_diverged_is_a_finding_that_reached_nothing(two_workers, cell, scratch):
    two_workers["outcome"] = RunOutcome("failed", "evaluator-0-0 failed: training diverged")
    two_workers["records"].append(
        (3.1, "evaluator-0-0", evaluation(3.0, 0.1, loss=None, final=True))
    )
    assert run_cell(scratch, cell, lambda _: None).points[-1].accuracy is None


def test_an_interrupted_run_interrupts_the_comparison(launcher, cell, scratch):
    launcher["outcome"] = RunOutcome("interrupted")
    with pytest.raises(KeyboardInterrupt):
        run_cell(scratch, cell, lambda _: None)
