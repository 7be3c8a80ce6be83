"""The command that a job gives its workers, as Kubernetes reads it."""

import pytest

from gossip_api.job import GossipTrainingJob
from gossip_trainer.errors import RunError
from gossip_trainer.launch.own_command import own_command


@pytest.fixture
def with_trainer(job):
    """Return a function that gives a job whose workers' container has these fields."""

    def with_fields(**fields):
        document = job.model_dump(mode="json", by_alias=True, exclude_none=True)
        containers = [{"name": "beside", "command": ["no"]}, {"name": "trainer", **fields}]
        document["spec"]["workers"]["template"] = {"spec": {"containers": containers}}
        return GossipTrainingJob.model_validate(document)

    return with_fields


def test_a_job_without_a_command_has_the_built_in_loop(job, with_trainer):
    assert own_command(job) is None
    assert own_command(with_trainer(image="own:1")) is None
    assert own_command(with_trainer(command=None, args=[])) is None


def test_the_arguments_follow_the_command(with_trainer):
    command = own_command(with_trainer(command=["python", "train.py"], args=["--depth", "3"]))
    words, _ = command.resolved({})
    assert words == ["python", "train.py", "--depth", "3"]


def test_arguments_alone_are_refused_for_there_is_no_entry_point(with_trainer):
    with pytest.raises(RunError, match=r"containers\[trainer\]\.args: got \['train.py'\] .*set "):
        own_command(with_trainer(args=["train.py"]))


def test_references_are_replaced_as_kubernetes_does_it(with_trainer):
    words = ["train", "$(GOSSIP_RANK) of $(N)", "$$(N)", "$(UNKNOWN)", "$N", "$(1)"]
    command = own_command(with_trainer(command=words, env=[{"name": "N", "value": "4"}]))
    found, _ = command.resolved({"GOSSIP_RANK": "2"})
    assert found == ["train", "2 of 4", "$(N)", "$(UNKNOWN)", "$N", "$(1)"]


def test_a_variable_may_refer_to_one_before_it(with_trainer):
    env = [
        {"name": "A", "value": "$(GOSSIP_RANK)/$(B)"},
        {"name": "B", "value": "$(A)"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    command = own_command(with_trainer(command=["train"], env=env))
    _, environ = command.resolved({"GOSSIP_RANK": "2"})
    assert environ == {"GOSSIP_RANK": "2", "A": "2/$(B)", "B": "2/$(B)"}


def test_what_is_set_here_goes_before_what_the_job_says(with_trainer):
    env = [{"name": "DATA", "value": "/data"}]
    command = own_command(with_trainer(command=["train", "$(DATA)"], env=env))
    assert command.resolved({"DATA": "here"}) == (["train", "here"], {"DATA": "here"})


@pytest.mark.parametrize("env", ["A=1", [{"name": "A"}], ["A"], [None]])
def test_malformed_variables_are_left_to_the_api_server(with_trainer, env):
    command = own_command(with_trainer(command=["train"], env=env))
    assert command.resolved({}) == (["train"], {})
