import io
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from gossip_api.errors import InvalidJob
from gossip_kubectl.errors import TROUBLE, InvalidCommand, Refused
from gossip_kubectl.submit import SubmitRequest, load_jobs, submit

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata:
  name: digits
spec:
  strategy: {type: Gossip}
  training:
    model: {name: mlp}
    data: {name: digits}
    batchSize: 16
    optimizer: {name: sgd, learningRate: 1e-1}
    budget: {epochs: 1}
"""


class Server:
    """Keeps jobs as they are applied, or refuses."""

    namespace = "team"

    def __init__(self, refusal=None):
        self.jobs = {}
        self.queries = []
        self.refusal = refusal

    def find(self, path):
        return self.jobs.get(path)

    def apply(self, path, body, **query):
        self.queries.append(query)
        if self.refusal is not None:
            raise self.refusal
        before = self.jobs.get(path)
        generation = 1 if before is None else before["metadata"]["generation"]
        if before is not None and before["spec"] != body["spec"]:
            generation += 1
        after = body | {"metadata": body["metadata"] | {"generation": generation}}
        if "dryRun" not in query:
            self.jobs[path] = after
        return after


def request(*files, **options):
    defaults = {
        "overrides": (),
        "name": None,
        "namespace_given": False,
        "dry_run": False,
        "wait": False,
        "timeout": timedelta(seconds=1),
    }
    return SubmitRequest(files=files, **(defaults | options))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def send(server, asked):
    return submit(server, load_jobs(asked), asked)


def test_what_is_sent_is_what_the_file_says_without_defaults(file):
    server = Server()
    send(server, request(file, overrides=["workers.replicas=8"]))
    (body,) = server.jobs.values()
    assert list(server.jobs) == [
        "/apis/gossip.training/v1alpha1/namespaces/team/gossiptrainingjobs/digits"
    ]
    expected = yaml.safe_load(JOB)["spec"] | {"workers": {"replicas": 8}}
    expected["training"]["optimizer"]["learningRate"] = 0.1  # text in YAML 1.1
    assert body["spec"] == expected
    assert server.queries == [{"fieldManager": "kubectl-gossip", "fieldValidation": "Strict"}]


def test_a_job_can_be_given_another_name(file, capsys):
    server = Server()
    send(server, request(file, name="other"))
    assert capsys.readouterr().out.startswith("team/other submitted\n")


def test_it_is_said_what_has_changed_and_what_to_do_next(file, capsys):
    server = Server()
    send(server, request(file))
    first = capsys.readouterr().out
    send(server, request(file))
    second = capsys.readouterr().out
    send(server, request(file, overrides=["workers.replicas=8"]))
    third = capsys.readouterr().out
    assert [said.splitlines()[0] for said in (first, second, third)] == [
        "team/digits submitted",
        "team/digits unchanged",
        "team/digits changed",
    ]
    assert "kubectl gossip status digits -n team --watch" in first


def test_a_job_that_is_over_does_not_run_again_and_that_is_said(file, capsys):
    server = Server()
    send(server, request(file))
    server.apply = lambda path, body, **query: (
        body
        | {
            "metadata": body["metadata"] | {"generation": 1},
            "status": {"finished": True, "state": "Succeeded"},
        }
    )
    send(server, request(file))
    assert "over (Succeeded) and does not run again" in capsys.readouterr().out


def test_a_dry_run_keeps_nothing(file, capsys):
    server = Server()
    send(server, request(file, dry_run=True))
    assert not server.jobs
    assert server.queries[0]["dryRun"] == "All"
    assert capsys.readouterr().out == "team/digits would be submitted\n"


def test_errors_of_all_files_are_told_at_once_with_their_places(tmp_path):
    files = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(JOB.replace("batchSize: 16", "batchSize: none"))
        files.append(path)
    with pytest.raises(InvalidJob) as caught:
        load_jobs(request(*files))
    assert [(Path(p.source).name, p.line, p.column) for p in caught.value.problems] == [
        ("a.yaml", 10, 16),
        ("b.yaml", 10, 16),
    ]


def test_one_name_is_for_one_job(file, tmp_path):
    with pytest.raises(InvalidCommand, match="one by one"):
        load_jobs(request(file, file, name="other"))
    with pytest.raises(InvalidCommand, match="several files have a job named digits"):
        load_jobs(request(file, file))


def test_two_different_namespaces_are_refused(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(JOB.replace("name: digits\nspec", "name: digits\n  namespace: own\nspec"))
    server = Server()
    send(server, request(path))
    assert "namespaces/own/" in next(iter(server.jobs))
    with pytest.raises(InvalidCommand, match="names the namespace own, the command line team"):
        send(server, request(path, namespace_given=True))


def test_what_else_stands_in_the_file_is_not_sent_and_that_is_said(file, capsys):
    file.write_text(f"{JOB}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n")
    load_jobs(request(file))
    assert "not 1 other object: kubectl apply -f" in capsys.readouterr().err


def test_a_job_may_come_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(JOB))
    (job,) = load_jobs(request(Path("-")))
    assert job.metadata.name == "digits"


@pytest.mark.parametrize(
    ("status", "exists", "advice"),
    [
        (404, False, "own words"),
        (409, True, "--force-conflicts"),
        (422, True, "another --name"),
    ],
)
def test_a_refusal_comes_with_advice(file, status, exists, advice):
    server = Server(Refused(status, "Some", "the server's own words"))
    if exists:
        server.find = lambda path: {"metadata": {}}
    with pytest.raises(Refused, match="the server's own words") as caught:
        send(server, request(file))
    assert advice in str(caught.value)


def test_one_refused_job_does_not_keep_the_others_from_being_sent(file, tmp_path, capsys):
    other = tmp_path / "other.yaml"
    other.write_text(JOB.replace("name: digits\nspec", "name: other\nspec"))
    server = Server()
    apply = server.apply

    def refuse_first(path, body, **query):
        if path.endswith("/digits"):
            raise Refused(403, "Forbidden", "exceeded quota")
        return apply(path, body, **query)

    server.apply = refuse_first
    assert send(server, request(file, other)) == TROUBLE
    assert len(server.jobs) == 1
    assert "error: digits: exceeded quota" in capsys.readouterr().err
