import io

import msgspec
import pytest
from rich.console import Console

from gossip_api.job import GossipTrainingJob
from gossip_trainer.launch.display import (
    LiveDisplay,
    PlainDisplay,
    SilentDisplay,
    make_display,
)
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Left,
    Progress,
    Stopping,
)

BEGAN = Began(time=100.0, source="worker-0-0", model_from="seed", step=0, job_samples=0)
PROGRESS = Progress(
    time=104.0,
    source="worker-0-0",
    step=10,
    samples=320,
    job_samples=500,
    epoch=0.5,
    loss=1.0,
    learning_rate=0.1,
    samples_per_second=80.0,
    exchanges=9,
    lost=0,
    skipped=0,
    staleness=1.0,
    received_bytes=1000,
    sent_bytes=1000,
    unpublished=0,
    peers=1,
)
EVALUATION = Evaluation(
    time=104.5,
    source="evaluator-0-0",
    seconds=4.0,
    job_samples=500,
    epoch=0.5,
    averaged=2,
    missed=(),
    loss=1.0,
    accuracy=0.5,
    consensus_distance=0.1,
    relative_consensus_distance=0.1,
    min_step=1,
    max_step=2,
    workers=(),
    final=False,
)
LOST = Left(time=105.0, source="launcher", member="worker-1-0", exit_code=-9, reason="SIGKILL")
STOPPING = Stopping(
    time=106.0, source="worker-0-0", reason="target", by="evaluator-0-0", step=10, job_samples=500
)


@pytest.fixture
def job():
    return GossipTrainingJob.model_validate(
        {
            "apiVersion": "gossip.training/v1alpha1",
            "kind": "GossipTrainingJob",
            "metadata": {"name": "digits"},
            "spec": {
                "strategy": {"type": "Gossip"},
                "training": {
                    "model": {"name": "mlp"},
                    "data": {"name": "digits"},
                    "optimizer": {"name": "sgd", "learningRate": 0.1},
                    "budget": {"samples": 1000},
                },
            },
        }
    )


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def screen(*, terminal=False):
    return Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None)


def lines(console):
    return console.file.getvalue().splitlines()


def test_scripts_get_silence_terminals_a_table_and_everything_else_lines(job):
    kinds = [
        make_display(job, output=output, console=screen(terminal=terminal))
        for output, terminal in [("json", True), ("text", True), ("text", False)]
    ]

    assert [type(kind) for kind in kinds] == [SilentDisplay, LiveDisplay, PlainDisplay]


def test_the_silent_display_prints_nothing(job, capfd):
    console = screen()
    with make_display(job, output="json", console=console) as display:
        display.update([BEGAN, LOST, EVALUATION])

    assert lines(console) == []
    assert capfd.readouterr() == ("", "")


def test_lines_about_the_progress_come_every_few_seconds_only(job, clock):
    console = screen()
    with PlainDisplay(job, console, every_seconds=5.0, clock=clock) as display:
        counts = []
        for now in (1.0, 4.9, 5.0, 9.9, 10.0):
            clock.now = now
            display.update([BEGAN, PROGRESS])
            counts.append(len(lines(console)))

    assert counts == [0, 0, 1, 1, 2]
    assert lines(console)[0] == (
        "50% after 4 s, 4 s left, 1 worker at step 10, loss 1, 80 samples/s"
    )


def test_a_lost_worker_the_final_evaluation_and_the_end_are_told_at_once(job, clock):
    console = screen()
    with PlainDisplay(job, console, clock=clock) as display:
        display.update([BEGAN, PROGRESS])
        display.update([msgspec.structs.replace(EVALUATION, final=True)])
        display.update([LOST])
        display.update([STOPPING])

    assert lines(console) == [
        "final evaluation: accuracy 50.00%, loss 1, consensus distance 0.1 (average of 2 models)",
        "worker-1-0 was lost: SIGKILL",
        "stopping: the target is reached",
    ]


def test_of_frequent_evaluations_only_the_newest_is_told_and_once(job, clock):
    console = screen()
    with PlainDisplay(job, console, every_seconds=5.0, clock=clock) as display:
        for now, accuracy in [(1.0, 0.1), (2.0, 0.2), (5.0, 0.3)]:
            clock.now = now
            display.update([msgspec.structs.replace(EVALUATION, accuracy=accuracy)])
        clock.now = 10.0
        display.update([])

    assert lines(console) == [
        "evaluation: accuracy 30.00%, loss 1, consensus distance 0.1 (average of 2 models)"
    ]


def test_a_reason_with_brackets_is_no_markup_and_is_never_broken_into_lines(job, clock):
    console = screen()
    reason = "[red]" + "x" * 200
    with PlainDisplay(job, console, clock=clock) as display:
        display.update([Left(source="launcher", member="worker-1-0", exit_code=1, reason=reason)])

    assert lines(console) == [f"worker-1-0 was lost: {reason}"]


def test_the_table_follows_the_records(job):
    console = screen(terminal=True)
    with LiveDisplay(job, console) as display:
        display.update([BEGAN, PROGRESS])
        display.update([EVALUATION])

    last = console.file.getvalue().rpartition("digits")[2]
    assert "50% after 4 s" in last
    assert "accuracy 50.00%" in last
    assert "worker-0-0 training" in last


def test_what_is_important_stays_above_the_table(job):
    console = screen(terminal=True)
    with LiveDisplay(job, console) as display:
        display.update([BEGAN, PROGRESS])
        display.update([LOST])

    text = console.file.getvalue()
    assert text.count("worker-1-0 was lost: SIGKILL") == 1
    assert text.index("worker-1-0 was lost") < text.rindex("worker-0-0 training")


def test_the_terminal_gets_its_cursor_back_even_after_an_error(job):
    console = screen(terminal=True)
    display = LiveDisplay(job, console)

    def fail_while_showing():
        with display:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_while_showing()

    assert console.file.getvalue().endswith("\x1b[?25h")
