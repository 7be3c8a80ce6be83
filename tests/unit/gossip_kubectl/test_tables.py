import io
from datetime import UTC, datetime, timedelta

from objects import CREATED, raw_job, raw_pod
from rich.console import Console

from gossip_api.names import CONTAINER
from gossip_kubectl.tables import job_page, jobs_table
from gossip_kubectl.views import event_views, job_view, process_views

NOW = datetime.fromisoformat(CREATED) + timedelta(minutes=3, seconds=5)
RUNNING = {
    "state": "Degraded",
    "workers": {"display": "3/4"},
    "restarts": 2,
    "progress": {
        "step": 1234,
        "epoch": "2.5",
        "percent": 40,
        "etaSeconds": 75,
        "samplesPerSecond": "2000.4",
        "loss": "0.123456",
        "accuracy": "0.9651",
        "consensusDistance": "0.01",
    },
    "failures": [
        {
            "role": "worker",
            "index": 2,
            "incarnation": index,
            "reason": "OOMKilled",
            "message": "exit code 137",
            "exitCode": 137,
            "node": "node-7",
            "time": CREATED,
        }
        for index in reversed(range(7))
    ],
    "conditions": [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": "3 of 4 workers are up",
            "lastTransitionTime": CREATED,
        }
        for kind, status, reason in [
            ("Degraded", "True", "BelowDesired"),
            ("Progressing", "True", "Training"),
        ]
    ],
}
OVER = {
    "state": "Succeeded",
    "finished": True,
    "progress": {"step": 2000, "percent": 100, "etaSeconds": 0, "loss": "9.0"},
    "result": {"accuracy": "0.97", "loss": "0.1", "step": 2001},
    "conditions": [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": "tested",
            "lastTransitionTime": CREATED,
        }
        for kind, status, reason in [
            ("WorkersReady", "False", "Finished"),
            ("Complete", "True", "ResultRecorded"),
        ]
    ],
}


def text(drawn):
    console = Console(file=io.StringIO(), width=200)
    console.print(drawn)
    return console.file.getvalue()


def job(status):
    return job_view(raw_job() | {"status": status})


def rows(status, **options):
    options = {"with_namespace": False, **options}
    header, row = text(jobs_table([job(status)], NOW, **options)).splitlines()
    return dict(zip(header.split(), row.split(), strict=True))


def page(status, pods=(), events=()):
    return text(job_page(job(status), process_views(pods), event_views(events), NOW))


def test_a_row_says_how_a_job_stands():
    assert rows(RUNNING) == {
        "NAME": "digits",
        "STRATEGY": "Gossip",
        "STATE": "Degraded",
        "READY": "3/4",
        "DONE": "40%",
        "STEP": "1,234",
        "LOSS": "0.1235",
        "ACCURACY": "96.51%",
        "ETA": "1m15s",
        "RESTARTS": "2",
        "AGE": "3m5s",
    }


def test_a_row_of_a_job_that_is_over_says_its_result():
    row = rows(OVER, with_namespace=True)
    assert (row["NAMESPACE"], row["STATE"], row["ETA"]) == ("default", "Succeeded", "-")
    assert (row["LOSS"], row["ACCURACY"], row["STEP"]) == ("0.1", "97.00%", "2,001")


def test_a_page_has_progress_processes_what_is_wrong_and_the_newest_events():
    events = [
        {
            "metadata": {},
            "type": "Normal",
            "reason": f"Reason{i}",
            "note": f"event {i}",
            "eventTime": f"2026-01-02T03:05:{i:02}Z",
        }
        for i in range(8)
    ]
    shown = page(RUNNING, [raw_pod(0), raw_pod(1)], events)
    assert "default/digits" in shown
    assert f"[{'=' * 16}{' ' * 24}] 40%, 1m15s left" in shown
    assert "step 1,234, epoch 2.5, 2000 samples/s, accuracy 96.51%" in shown
    assert "worker-0-0" in shown
    assert "worker-1-0" in shown
    assert "Degraded=True BelowDesired: 3 of 4 workers are up" in shown
    assert "Progressing=True" not in shown
    assert [line.split()[1] for line in shown.splitlines() if "event " in line] == [
        f"Reason{i}" for i in range(3, 8)
    ]


def test_a_page_has_the_newest_failures():
    shown = [line.split() for line in page(RUNNING).splitlines() if "OOMKilled" in line]
    assert shown[0] == ["3m5s", "worker-2-6", "OOMKilled", "(137)", "node-7", "exit", "code", "137"]
    assert [line[1] for line in shown] == [f"worker-2-{index}" for index in (6, 5, 4, 3, 2)]


def test_of_many_processes_those_in_trouble_are_shown_and_the_others_counted():
    ready = {
        "phase": "Running",
        "containerStatuses": [{"name": CONTAINER, "state": {"running": {}}}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": CREATED}],
    }
    pods = [raw_pod(index, status=ready) for index in range(30)]
    pods[7] = raw_pod(7, status={"phase": "Failed", "reason": "Evicted"})
    lines = page(RUNNING, pods).splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("worker-")] == [
        ["worker-7-0", "failed:", "Evicted"]
    ]
    assert "and 29 more processes: 29 ready" in lines


def test_a_page_of_a_job_that_is_over_has_its_end_and_no_bar():
    shown = page(OVER)
    assert "result: accuracy 97.00%, loss 0.1, step 2,001" in shown
    assert "Complete=True ResultRecorded: tested" in shown
    assert "100%" not in shown
    assert "WorkersReady" not in shown


def test_a_job_that_no_operator_has_seen_says_so():
    assert "No operator has looked at this job" in page(None)


def test_text_from_a_cluster_is_no_markup():
    events = [
        {"metadata": {}, "reason": "Failed", "note": "[red]x[/] [/]", "eventTime": CREATED},
    ]
    assert "[red]x[/] [/]" in page(OVER, events=events)


def test_the_page_reads_the_clock_it_is_given():
    assert "3m5s old" in page(RUNNING)
    assert NOW.tzinfo == UTC


def test_a_page_of_a_job_that_saved_its_model_says_where_it_lies():
    model = "pvc://models/default.digits.1/final/model.safetensors"
    result = OVER["result"] | {"model": model}
    assert f"model: {model}" in page(OVER | {"result": result}).splitlines()
    assert "model:" not in page(OVER)
