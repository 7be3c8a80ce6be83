import pytest

from gossip_api.errors import InvalidJob, Problem
from gossip_trainer.cli.errors import InvalidCommand, guarded
from gossip_trainer.errors import DataError, RunError

PROBLEMS = [
    Problem("job.yaml", 3, 1, "spec.workers", "is wrong"),
    Problem("job.yaml", 9, 5, "spec.training", "is missing"),
]
HINT = "run again with --debug for the traceback"


def raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            InvalidJob(PROBLEMS),
            2,
            "job.yaml:3:1: spec.workers: is wrong\njob.yaml:9:5: spec.training: is missing\n",
        ),
        (InvalidCommand("--out x: is taken"), 2, "error: --out x: is taken\n"),
        (RunError("nobody\n  came"), 1, "error: nobody came\n"),
        (DataError("no digits"), 1, "error: no digits\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (
            ZeroDivisionError("division by zero"),
            1,
            f"error: ZeroDivisionError: division by zero ({HINT})\n",
        ),
        (
            AssertionError(),
            1,
            f"error: AssertionError: no message ({HINT})\n",
        ),
    ],
)
def test_each_kind_of_error_has_its_message_and_exit_code(capsys, error, code, message):
    assert guarded(raising(error), debug=False) == code
    assert capsys.readouterr() == ("", message)


def test_the_traceback_is_shown_when_debugging_only(capsys):
    guarded(raising(RunError("nobody came")), debug=True)

    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last):")
    assert printed.endswith("error: nobody came\n")


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_without_an_error_the_commands_own_code_counts(code):
    assert guarded(lambda: code, debug=False) == code
