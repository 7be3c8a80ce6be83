"""Job files: reading, what is refused, and writing them back."""

import pytest
import yaml

from gossip_api.errors import InvalidJob
from gossip_api.job import Metadata
from gossip_api.loading import MAX_BYTES, load_job, parse_job, resolved_yaml

JOB = """\
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata: {name: a}
spec:
  strategy: {type: Gossip}
  training:
    model: {name: mlp}
    data: {name: digits}
    optimizer: {name: sgd, learningRate: 1e-4}
    budget: {epochs: 1}
"""


def messages(text, **options):
    with pytest.raises(InvalidJob) as caught:
        parse_job(text, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_job_is_read():
    job = parse_job(JOB)
    assert job.metadata == Metadata(name="a")
    assert job.spec.training.optimizer.learning_rate == 1e-4


def test_a_job_is_read_from_a_file_with_overrides(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + JOB.encode())
    assert load_job(path, ["workers.replicas=4"]).spec.workers.replicas == 4


def test_later_overrides_win():
    job = parse_job(JOB, overrides=["workers.replicas=4", "workers={replicas: 2}"])
    assert job.spec.workers.replicas == 2


def test_an_override_can_change_the_strategy():
    text = JOB.replace("{type: Gossip}", "{type: Gossip, gossip: {period: 2}}")
    changes = ["strategy.type=AllReduce", "strategy.gossip=null", "security.mutualTLS=false"]
    job = parse_job(text, overrides=changes)
    assert job.spec.strategy.type == "AllReduce"


def test_whole_numbers_may_be_written_as_the_api_server_accepts_them():
    assert parse_job(JOB, overrides=["training.batchSize=6.4e1"]).spec.training.batch_size == 64


def test_all_problems_are_said_at_once_in_the_order_of_the_file():
    text = (
        JOB.replace("epochs: 1", "epochs: .nan")
        .replace("Gossip}", "Gossip, gossip: {period: 0, mixingWeight: 2}}")
        .replace("{name: a}", "{nmae: a}")
        .replace("{name: mlp}", "{name: mlp, name: cnn}")
    )
    found = messages(text, overrides=["workers.replicas=0", "x"])
    assert [message.split(": ")[:2] for message in found] == [
        ["job.yaml:3:1", "metadata.name"],
        ["job.yaml:3:12", "metadata.nmae"],
        ["job.yaml:5:45", "spec.strategy.gossip.period"],
        ["job.yaml:5:62", "spec.strategy.gossip.mixingWeight"],
        ["job.yaml:7:24", "spec.training.model.name"],
        ["job.yaml:10:13", "spec.training.budget"],
        ["job.yaml:10:22", "spec.training.budget.epochs"],
        ["--set x", "must be path=value, for example training.batchSize=64"],
        ["--set workers.replicas=0", "spec.workers.replicas"],
    ]


def test_problems_of_overrides_name_the_option():
    (message,) = messages(JOB, overrides=["workers.replica=3"])
    assert message.startswith(
        "--set workers.replica=3: spec.workers.replica: unknown key (did you mean replicas?)"
    )


def test_faults_of_the_text_alone_refuse_the_job_too():
    (message,) = messages(JOB.replace("{name: mlp}", "{name: mlp, name: mlp}"))
    assert "is given twice" in message


def test_other_kinds_may_stand_beside_the_job():
    other = "kind: ConfigMap\ndata: {1: x}\n"
    assert parse_job(f"{other}---\n{JOB}---\n{other}---\n") == parse_job(JOB)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "job.yaml: is empty; must hold one GossipTrainingJob"),
        ("---\n---\n", "job.yaml: is empty; must hold one GossipTrainingJob"),
        (
            "kind: ConfigMap\n---\nkind: Pod\n---\na: 1\n---\n7\n",
            (
                "job.yaml: holds no GossipTrainingJob; found: ConfigMap, Pod, "
                "a document without kind, a document without kind"
            ),
        ),
        (
            f"{JOB}---\n{JOB}",
            "job.yaml: holds 2 jobs (lines 1, 12); must hold one GossipTrainingJob",
        ),
        ("[a]", 'job.yaml:1:1: got ["a"]; must be a mapping of keys to values'),
        ("x" * (MAX_BYTES + 1), "job.yaml: is too large; must be at most 1048576 bytes"),
    ],
)
def test_a_text_without_exactly_one_job_is_refused(text, expected):
    assert messages(text) == [expected]


def test_a_sole_document_without_a_kind_is_told_what_it_lacks():
    (message,) = messages(JOB.replace("kind: GossipTrainingJob\n", ""))
    assert message.startswith("job.yaml:1:1: kind: is required")


def _missing(folder):
    return folder / "missing.yaml", "No such file"


def _folder(folder):
    return folder, "Is a directory"


def _binary(folder):
    path = folder / "binary.yaml"
    path.write_bytes(b"\x80\x81")
    return path, "is not UTF-8 text (byte 0)"


def _large(folder):
    path = folder / "large.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 2))
    return path, "is too large"


def _null_in_the_name(folder):
    return folder / "a\x00b", "null"


@pytest.mark.parametrize("case", [_missing, _folder, _binary, _large, _null_in_the_name])
def test_a_file_that_cannot_be_read_is_an_invalid_job(tmp_path, case):
    path, expected = case(tmp_path)
    with pytest.raises(InvalidJob) as caught:
        load_job(path)
    (problem,) = caught.value.problems
    assert problem.line is None
    assert expected in problem.message


def test_the_resolved_document_has_every_default_and_makes_an_equal_job():
    job = parse_job(JOB)
    document = yaml.safe_load(resolved_yaml(job))
    assert document["spec"]["workers"] == {
        "replicas": 1,
        "minReplicas": 1,
        "devicesPerWorker": 1,
    }
    assert document["spec"]["strategy"]["gossip"]["mixingWeight"] == 0.5
    assert document["spec"]["evaluation"]["every"] == "1m"
    assert parse_job(resolved_yaml(job)) == job


def test_the_resolved_document_leaves_out_what_does_not_apply():
    document = yaml.safe_load(resolved_yaml(parse_job(JOB)))
    assert "allReduce" not in document["spec"]["strategy"]
    assert "betas" not in document["spec"]["training"]["optimizer"]


@pytest.mark.parametrize("text", ["1e-4", "no", "0o17", "1_000", "2026-01-02", "~", "", "0x1f"])
def test_text_that_looks_like_something_else_stays_text_for_every_reader(text):
    job = parse_job(JOB, overrides=[f"training.model.args={{x: '{text}'}}"])
    assert parse_job(resolved_yaml(job)).spec.training.model.args == {"x": text}
    assert yaml.safe_load(resolved_yaml(job))["spec"]["training"]["model"]["args"] == {"x": text}
