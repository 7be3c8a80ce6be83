import signal
import subprocess
import sys

import pytest

from gossip_kubectl.app import main
from gossip_kubectl.errors import INTERRUPTED, INVALID, OK, TROUBLE

DEAF = """
import time
from gossip_kubectl import app

class Deaf:
    def __del__(self):
        print("now", flush=True)
        time.sleep(60)  # whatever is raised here is lost

app.app = lambda **_: (Deaf() and None, time.sleep(60))
app.main()
"""


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs the command line; returns its exit code and what it wrote on both streams."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kubectl-gossip", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    before = signal.getsignal(signal.SIGINT)
    yield run
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'"),
        (["wait"], "Missing argument 'NAME'"),
        (["wait", "x", "--for", "nothing"], "'complete', 'began', 'ready'"),
        (
            ["wait", "x", "--timeout", "5"],
            "--timeout: got '5'; must be a duration above zero such as",
        ),
        (["logs", "x", "--role", "boss"], "'worker', 'server', 'evaluator'"),
        (["status", "--kubeconfig", "/nowhere"], "--kubeconfig and --context"),
    ],
)
def test_a_wrong_command_line_says_what_is_allowed(command, arguments, message):
    code, _, said = command(*arguments)
    assert code == TROUBLE
    assert message in said


def test_an_invalid_job_names_line_and_column_and_needs_no_cluster(command, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("apiVersion: gossip.training/v1alpha1\nkind: GossipTrainingJob\nmetadat: {}\n")
    code, _, said = command("submit", str(file), "--kubeconfig", "/nowhere")
    assert code == INVALID
    assert f"{file}:3:1: metadat: unknown key (did you mean metadata?)" in said


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_needs_no_cluster(command, option):
    code, said, _ = command(option)
    assert code == OK
    assert "kubectl gossip" in said


def test_an_interrupt_ends_the_command_also_where_it_would_be_lost():
    command = ["env", "--default-signal=INT", sys.executable, "-c", DEAF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == INTERRUPTED
