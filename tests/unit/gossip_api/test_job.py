"""The whole document."""

import pytest
from pydantic import ValidationError

from gossip_api.job import FIXED, GossipTrainingJob, JobSpec, Metadata
from gossip_api.record import record_in


def document(**changes):
    return {
        "apiVersion": "gossip.training/v1alpha1",
        "kind": "GossipTrainingJob",
        "metadata": {"name": "mnist"},
        "spec": {
            "strategy": {"type": "Gossip"},
            "training": {
                "model": {"name": "mlp"},
                "data": {"name": "digits"},
                "optimizer": {"name": "sgd", "learningRate": 0.1},
                "budget": {"epochs": 3},
            },
        },
        **changes,
    }


def test_the_smallest_job_is_complete():
    job = GossipTrainingJob.model_validate(document())
    assert job.metadata.namespace == "default"
    assert job.spec.workers.replicas == 1


def spec(strategy, **changes):
    return document()["spec"] | {"strategy": strategy} | changes


@pytest.mark.parametrize("kind", ["ElasticAveraging", "ParameterServer"])
def test_a_strategy_with_servers_has_one_unless_more_are_asked_for(kind):
    assert JobSpec.model_validate(spec({"type": kind})).num_shards == 1
    assert JobSpec.model_validate(spec({"type": kind}, server={"shards": 3})).num_shards == 3


@pytest.mark.parametrize("kind", ["Gossip", "AllReduce", "LocalSGD"])
def test_a_strategy_without_servers_refuses_them(kind):
    security = {"mutualTLS": False}
    assert JobSpec.model_validate(spec({"type": kind}, security=security)).num_shards == 0
    with pytest.raises(ValidationError, match="server: is only for strategy ElasticAveraging or"):
        JobSpec.model_validate(spec({"type": kind}, security=security, server={"shards": 1}))


@pytest.mark.parametrize(
    ("checkpoint", "seconds"),
    [(None, None), ({}, 300), ({"every": "1m"}, 60), ({"writers": "Evaluator"}, None)],
)
def test_a_resumed_job_goes_on_only_from_what_its_workers_saved(checkpoint, seconds):
    if checkpoint is not None:
        checkpoint = {"storage": {"claimName": "models"}} | checkpoint
    found = JobSpec.model_validate(spec({"type": "Gossip"}, checkpoint=checkpoint)).resume_interval
    assert (found and found.total_seconds()) == seconds


COLLECTIVES = {"AllReduce": "allReduce", "LocalSGD": "localSGD"}


@pytest.mark.parametrize(("kind", "member"), COLLECTIVES.items())
def test_a_collective_is_refused_under_mutual_tls_unless_plaintext_is_allowed(kind, member):
    with pytest.raises(ValidationError, match=rf"{member}\.allowPlaintext: must be true under"):
        JobSpec.model_validate(spec({"type": kind}))
    allowed = {"type": kind, member: {"allowPlaintext": True}}
    assert JobSpec.model_validate(spec(allowed)).security.mutual_tls
    assert JobSpec.model_validate(spec({"type": kind}, security={"mutualTLS": False}))


def test_what_pairs_of_workers_exchange_is_always_encrypted():
    noloco = {"type": "LocalSGD", "localSGD": {"averaging": "Gossip"}}
    assert JobSpec.model_validate(spec(noloco)).security.mutual_tls
    noloco["localSGD"]["allowPlaintext"] = True
    with pytest.raises(ValidationError, match="is only for averaging AllReduce"):
        JobSpec.model_validate(spec(noloco))


@pytest.mark.parametrize(("port", "is_free"), [(29399, True), (29400, False), (29401, False)])
def test_the_metrics_port_is_not_one_of_those_that_peers_use(port, is_free):
    document = spec({"type": "Gossip"}, monitoring={"metricsPort": port})
    if is_free:
        assert JobSpec.model_validate(document).monitoring.metrics_port == port
    else:
        with pytest.raises(ValidationError, match=r"monitoring\.metricsPort: must be neither"):
            JobSpec.model_validate(document)


def test_what_is_fixed_while_the_job_runs_exists():
    for path in FIXED:
        record = JobSpec
        for part in path.split("."):
            field = record.model_fields[record.field_names()[part]]
            record = record_in(field.annotation)


@pytest.mark.parametrize("family", ["Hypercube", "OnePeerExponential"])
def test_without_fallback_the_number_of_workers_is_a_power_of_two(family):
    strategy = {"type": "Gossip", "gossip": {"topology": {"type": family, "fallback": False}}}
    for replicas in (1, 2, 8, 2**16):
        assert JobSpec.model_validate(spec(strategy, workers={"replicas": replicas}))
    for replicas in (3, 6, 2**16 + 2):
        with pytest.raises(ValidationError, match=r"workers\.replicas: must be a power of two"):
            JobSpec.model_validate(spec(strategy, workers={"replicas": replicas}))


def test_a_batch_is_divided_among_the_devices_of_a_worker():
    for devices, batch_size in [(1, 7), (2, 32), (3, 96)]:
        divided = spec({"type": "Gossip"}, workers={"devicesPerWorker": devices})
        divided["training"] |= {"batchSize": batch_size}
        assert JobSpec.model_validate(divided)
    with pytest.raises(
        ValidationError, match=r"training\.batchSize: must be a multiple of workers"
    ):
        JobSpec.model_validate(spec({"type": "Gossip"}, workers={"devicesPerWorker": 3}))


def test_the_status_is_not_part_of_what_the_user_wants():
    with_status = GossipTrainingJob.model_validate(document(status={"whatever": 1}))
    assert with_status == GossipTrainingJob.model_validate(document())


def test_what_the_server_adds_to_metadata_is_tolerated_and_its_uid_kept():
    metadata = Metadata.model_validate(
        {"name": "a", "uid": "1-2", "generation": 3, "managedFields": [{}], "resourceVersion": "7"}
    )
    assert metadata == Metadata(name="a", uid="1-2")


@pytest.mark.parametrize("name", ["a", "a-1", "a" * 40])
def test_names_are_labels(name):
    assert Metadata(name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "1a", "a-", "a_b", "a.b", "a" * 41, "a\n"])
def test_other_names_are_refused(name):
    with pytest.raises(ValidationError):
        Metadata(name=name)


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "metadata", "spec"])
def test_nothing_at_the_top_may_be_missing(missing):
    incomplete = document()
    del incomplete[missing]
    with pytest.raises(ValidationError, match=missing):
        GossipTrainingJob.model_validate(incomplete)


def test_every_field_of_every_record_is_described():
    def bare(record):
        for name, field in record.model_fields.items():
            if not field.description:
                yield name
            if part := record_in(field.annotation):
                yield from bare(part)

    assert list(bare(GossipTrainingJob)) == []
