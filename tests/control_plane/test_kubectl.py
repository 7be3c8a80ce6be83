"""`kubectl gossip` by the real kubectl, against a real API server and the real operator."""

import json
import os
import pty
import signal
import time

import pytest
import yaml
from cluster_jobs import job
from kubectl_plugin import Plugin, end
from status_stubs import status_stubs
from testbed.waiting import wait_for

from gossip_api.process import LastWords

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(120)]

OK, TROUBLE, NOT_FOUND, INVALID, FAILED, TIMED_OUT, INTERRUPTED = 0, 1, 2, 2, 3, 124, 130


@pytest.fixture
def plugin(jobs):
    return Plugin(jobs.bed, jobs.namespace)


@pytest.fixture
def stubs(jobs):
    with status_stubs(jobs) as made:
        yield made


@pytest.fixture
def file(tmp_path):
    """A job file; the job is called digits."""
    body = job(replicas=3)
    body["metadata"]["name"] = "digits"
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False))
    return path


def fail(jobs, name):
    jobs.end(jobs.live(name)[0], 64, LastWords(reason="spec.training.data: no such file"))


def test_kubectl_finds_the_plugin_by_its_name(plugin):
    assert plugin.run("--version").out.startswith("kubectl gossip ")


def test_a_job_is_submitted_looked_at_and_waited_for(jobs, operator, stubs, plugin, file):
    submitted = plugin.run("submit", str(file), "--set", "workers.replicas=2")
    assert submitted.code == OK
    assert submitted.out.splitlines()[0] == f"{jobs.namespace}/digits submitted"
    waiting = plugin.start("wait", "digits", "--timeout", "1m")
    jobs.wait_ready("digits", 2)
    stubs.serve_job("digits", step=120)
    jobs.wait_condition("digits", "Progressing", reason="Training")
    wait_for(lambda: jobs.get("digits")["status"].get("progress", {}).get("accuracy"), "progress")

    header, row = plugin.run("status").out.splitlines()
    shown = dict(zip(header.split(), row.split(), strict=True))
    assert (
        shown.items()
        >= {
            "NAME": "digits",
            "STRATEGY": "Gossip",
            "STATE": "Running",
            "READY": "2/2",
            "DONE": "25%",
            "STEP": "120",
            "LOSS": "0.5",
            "ACCURACY": "75.00%",
        }.items()
    )
    page = plugin.run("status", "digits").out
    assert "25%" in page
    assert "step 120" in page
    assert [line.split()[:2] for line in page.splitlines() if "-0-0 " in line or "-1-0 " in line][
        :3
    ] == [["worker-0-0", "ready"], ["worker-1-0", "ready"], ["evaluator-0-0", "ready"]]
    assert "Started" in page

    jobs.finish("digits", accuracy=0.93)

    waited = end(waiting)
    assert waited.code == OK
    assert waited.out.startswith(f"{jobs.namespace}/digits is complete: accuracy 93.00%, loss 0.25")
    assert f"{jobs.namespace}/digits: Running" in waited.err
    assert "result: accuracy 93.00%" in plugin.run("status", "digits").out
    again = plugin.run("submit", str(file), "--set", "workers.replicas=2")
    assert "digits unchanged\nIt is over (Succeeded) and does not run again" in again.out


def test_scripts_get_json(jobs, operator, plugin):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    (one,) = json.loads(plugin.run("status", "-o", "json").out)["jobs"]
    assert (one["name"], one["status"]["workers"]["ready"]) == (name, 3)
    found = json.loads(plugin.run("status", name, "-o", "json").out)
    assert [(p["role"], p["state"]) for p in found["processes"]] == [("worker", "ready")] * 3 + [
        ("evaluator", "ready")
    ]
    jobs.finish(name)
    answer = json.loads(plugin.run("wait", name, "-o", "json", "--timeout", "30s").out)
    assert (answer["exitCode"], answer["status"]["result"]["accuracy"]) == (OK, "0.9")


def test_a_failed_job_is_told_with_its_reason_by_an_exit_code_of_its_own(jobs, operator, plugin):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    waiting = plugin.start("wait", name, "--timeout", "1m")

    fail(jobs, name)

    waited = end(waiting)
    assert waited.code == FAILED
    assert "has failed (UserError): worker-0-0: spec.training.data: no such file" in waited.err
    page = plugin.run("status", name).out
    assert "Failed=True UserError" in page
    (failure,) = [line for line in page.splitlines() if "(64)" in line]
    assert "worker-0-0" in failure


def test_submit_can_wait_and_ends_as_the_job_does(jobs, operator, plugin, file):
    process = plugin.start("submit", str(file), "--wait", "--timeout", "1m")
    wait_for(lambda: jobs.bed.api.exists(f"{jobs.path}/digits"), "the job")
    jobs.wait_ready("digits", 3)
    fail(jobs, "digits")
    assert end(process).code == FAILED


def test_a_wait_ends_at_its_deadline_and_says_how_the_job_stands(jobs, operator, plugin):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    began = time.monotonic()
    waited = plugin.run("wait", name, "--timeout", "3s")
    assert waited.code == TIMED_OUT
    assert "is not complete after 3 s: it is Starting" in waited.err
    assert 3 <= time.monotonic() - began < 12
    assert plugin.run("wait", name, "--for", "ready", "--timeout", "3s").code == OK


@pytest.mark.parametrize("command", ["wait", "status", "logs"])
def test_a_job_that_does_not_exist_is_told_at_once(plugin, command):
    ended = plugin.run(command, "nobody")
    assert ended.code == NOT_FOUND
    assert "kubectl gossip status -A" in ended.err


def test_a_job_that_is_deleted_meanwhile_has_no_end_to_wait_for(jobs, operator, plugin):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    waiting = plugin.start("wait", name, "--timeout", "1m")
    gone = plugin.start("wait", name, "--for", "deleted", "--timeout", "1m")
    assert "Starting" in waiting.stderr.readline()
    assert "Starting" in gone.stderr.readline()
    jobs.bed.api.delete(f"{jobs.path}/{name}")
    assert end(waiting).code == NOT_FOUND
    assert end(gone).code == OK


def test_an_invalid_job_is_refused_with_its_line_and_never_sent(jobs, plugin, file):
    file.write_text(file.read_text().replace("batchSize: 16", "batchSize: many"))
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "many" in text)
    ended = plugin.run("submit", str(file))
    assert ended.code == INVALID
    assert f"{file}:{line}:" in ended.err
    assert "spec.training.batchSize" in ended.err
    assert not jobs.bed.api.list(jobs.path)


def test_a_dry_run_has_the_server_check_the_job_and_keeps_nothing(jobs, plugin, file):
    ended = plugin.run("submit", "-", "--dry-run", stdin=file.read_text())
    assert ended.out == f"{jobs.namespace}/digits would be submitted\n"
    assert not jobs.bed.api.list(jobs.path)


def test_what_the_server_refuses_is_told_in_its_words_and_with_advice(jobs, plugin, file):
    assert plugin.run("submit", str(file)).code == OK
    changed = plugin.run("submit", str(file), "--set", "training.batchSize=32")
    assert changed.code == TROUBLE
    assert "only while" in changed.err
    assert "submit under another --name" in changed.err

    jobs.bed.kubectl(
        *("apply", "--server-side", "--force-conflicts", "-n", jobs.namespace, "-f", "-"),
        stdin=yaml.safe_dump(
            {
                "apiVersion": "gossip.training/v1alpha1",
                "kind": "GossipTrainingJob",
                "metadata": {"name": "digits"},
                "spec": {"workers": {"replicas": 5}},
            }
        ),
    )
    conflict = plugin.run("submit", str(file))
    assert conflict.code == TROUBLE
    assert ".spec.workers.replicas" in conflict.err
    assert "--force-conflicts" in conflict.err

    elsewhere = Plugin(jobs.bed, "no-such-namespace").run("submit", str(file))
    assert elsewhere.code == TROUBLE
    assert 'namespaces "no-such-namespace" not found' in elsewhere.err


JOBS = ("gossip.training", "gossiptrainingjobs")
PODS = ("", "pods")
RIGHTS = {
    "submit": (("submit", "job.yaml"), OK, {JOBS: "get create patch"}),
    "status": (("status",), OK, {JOBS: "list"}),
    "status of one": (
        ("status", "digits"),
        OK,
        {JOBS: "get", PODS: "list", ("events.k8s.io", "events"): "list"},
    ),
    "logs": (("logs", "digits"), NOT_FOUND, {JOBS: "get", PODS: "list", ("", "pods/log"): "get"}),
    "wait": (("wait", "digits", "--timeout", "2s"), TIMED_OUT, {JOBS: "list watch"}),
}


@pytest.mark.parametrize("command", RIGHTS)
def test_a_command_needs_no_more_rights_than_documented(jobs, plugin, file, command):
    arguments, code, rights = RIGHTS[command]
    if command != "submit":
        assert plugin.run("submit", str(file)).code == OK
    account = plugin.with_rights(rights)
    ended = account.run(*(str(file) if part == "job.yaml" else part for part in arguments))
    assert (ended.code, "forbidden" in ended.err) == (code, False)


def test_an_api_server_may_be_away_while_somebody_waits(
    jobs, operator, proxy, proxied_kubeconfig, plugin
):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    behind = Plugin(jobs.bed, jobs.namespace, proxied_kubeconfig)
    waiting = behind.start("wait", name, "--timeout", "1m")
    watching = behind.start("status", name, "--watch")
    impatient = behind.start("wait", name, "--timeout", "15s")
    assert "Starting" in waiting.stderr.readline()
    assert "Starting" in impatient.stderr.readline()
    assert "Starting" in watching.stdout.readline()

    proxy.close_door()
    jobs.finish(name)
    jobs.wait_condition(name, "Complete")
    given_up = end(impatient)
    proxy.open_door()

    assert given_up.code == TIMED_OUT
    assert "does not answer" in given_up.err
    assert end(waiting).code == OK
    watched = end(watching)
    assert watched.code == OK
    assert watched.out.splitlines()[-1].startswith(f"{jobs.namespace}/{name}: Succeeded")


def test_an_api_server_that_never_answers_is_given_up_soon(proxy, proxied_kubeconfig, plugin):
    proxy.close_door()
    ended = Plugin(plugin.bed, plugin.namespace, proxied_kubeconfig).run("status")
    proxy.open_door()
    assert ended.code == TROUBLE
    assert "does not answer" in ended.err


@pytest.mark.parametrize("command", [["wait"], ["status", "--watch"]], ids=" ".join)
def test_an_interrupt_ends_a_command_cleanly(jobs, operator, plugin, command):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    process = plugin.start(*command, name)
    stream = process.stderr if command == ["wait"] else process.stdout
    assert "Starting" in stream.readline()
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert ended.code == INTERRUPTED
    assert "Traceback" not in ended.err


def test_a_watch_on_a_terminal_draws_one_page_until_the_job_is_over(jobs, operator, plugin):
    name = jobs.create(job())
    jobs.wait_ready(name, 3)
    terminal, side = pty.openpty()
    process = plugin.start("status", name, "--watch", stdout=side, TERM="xterm", COLUMNS="100")
    os.close(side)
    shown = read_until(terminal, "worker-2-0")
    jobs.finish(name)
    shown += read_until(terminal, "Complete=True")
    assert end(process).code == OK
    os.close(terminal)
    assert "Starting" in shown
    assert "Succeeded" in shown


def read_until(terminal, text):
    shown = ""
    while text not in shown:
        shown += os.read(terminal, 65536).decode()
    return shown
