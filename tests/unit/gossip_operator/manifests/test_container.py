"""The container `trainer`."""

import pytest
from manifest_jobs import UID, environment_of, job, pod_of, templated, trainer_of, trainer_template

from gossip_api.environment import ProcessEnvironment
from gossip_api.names import Role


def container(given=None, **more):
    return trainer_of(pod_of(templated(trainer_template(given), **more)))


def environment(given=None, **more):
    return environment_of(pod_of(templated(trainer_template(given), **more)))


def test_is_told_who_it_is_and_where_things_are():
    values = environment_of(pod_of(job(), index=3, incarnation=2, fresh=False))
    values = {name: value.replace("$(POD_IP)", "10.0.0.1") for name, value in values.items()}
    told = ProcessEnvironment.from_environ(values)
    assert (told.role, told.rank, told.incarnation) == (Role.WORKER, 3, 2)
    assert told.job_uid == UID
    assert not told.fresh
    assert told.listen == "10.0.0.1:29400"
    assert told.status == "10.0.0.1:9400"
    assert str(told.output) == "/var/gossip"
    assert str(told.last_words) == "/dev/termination-log"


def test_knows_its_address_before_the_variables_that_name_it():
    first = container()["env"][0]
    assert first == {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def test_may_begin_from_the_seed_only_if_fresh():
    assert environment_of(pod_of(job(), fresh=True))["GOSSIP_FRESH"] == "1"
    assert environment_of(pod_of(job(), fresh=False))["GOSSIP_FRESH"] == "0"


def test_is_told_of_keys_only_with_mutual_tls():
    assert environment()["GOSSIP_TLS"] == "/etc/gossip/tls"
    assert "GOSSIP_TLS" not in environment(security={"mutualTLS": False})


@pytest.mark.parametrize("name", ["GOSSIP_RANK", "GOSSIP_TLS", "GOSSIP_ANYTHING", "POD_IP"])
def test_the_operators_variables_are_not_the_users_to_set(name):
    given = {"env": [{"name": name, "value": "mine"}, {"name": "OTHER", "value": "kept"}]}
    found = environment(given)
    assert found.get(name) != "mine"
    assert found["OTHER"] == "kept"


def test_the_users_variables_come_last_so_that_they_may_refer_to_the_operators():
    given = {"env": [{"name": "SHARD", "value": "$(GOSSIP_RANK)"}]}
    assert container(given)["env"][-1] == given["env"][0]


def test_has_a_home_that_can_be_written_unless_the_user_names_another():
    assert environment()["HOME"] == "/tmp"
    assert environment({"env": [{"name": "HOME", "value": "/root"}]})["HOME"] == "/root"


@pytest.mark.parametrize(
    ("resources", "threads"),
    [
        ({"limits": {"cpu": "500m"}}, "1"),
        ({"limits": {"cpu": 4}}, "4"),
        ({"limits": {"cpu": "3500m"}}, "3"),
        ({"limits": {"cpu": "1.5"}, "requests": {"cpu": "8"}}, "1"),
        ({"requests": {"cpu": "2"}}, "2"),
        ({"limits": {"memory": "1Gi"}}, None),
        ({"limits": {"cpu": "many"}}, None),
        ({"limits": {"cpu": "nan"}}, None),
    ],
)
def test_uses_as_many_threads_as_it_has_cpus_where_that_is_known(resources, threads):
    assert environment({"resources": resources}).get("OMP_NUM_THREADS") == threads


def test_uses_as_many_threads_as_the_user_says():
    given = {
        "resources": {"limits": {"cpu": 4}},
        "env": [{"name": "OMP_NUM_THREADS", "value": "2"}],
    }
    assert environment(given)["OMP_NUM_THREADS"] == "2"


def test_runs_the_trainer_unless_the_user_says_what_to_run():
    assert container()["command"] == ["python", "-m", "gossip_trainer.process"]
    assert container({"command": ["sh"], "args": ["-c", "true"]})["command"] == ["sh"]
    assert "command" not in container({"args": ["--for-the-images-entry-point"]})


def test_is_hardened_field_by_field_where_the_user_says_nothing():
    hardened = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container()["securityContext"] == hardened
    softer = container({"securityContext": {"readOnlyRootFilesystem": False}})
    assert softer["securityContext"] == hardened | {"readOnlyRootFilesystem": False}


def test_is_asked_every_second_whether_it_is_ready():
    probe = container()["readinessProbe"]
    assert probe["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert probe["periodSeconds"] == 1
    own = {"exec": {"command": ["true"]}}
    assert container({"readinessProbe": own})["readinessProbe"] == own


def test_names_its_ports_and_keeps_the_users_others():
    ports = container({"ports": [{"name": "debug", "containerPort": 5678}, {"containerPort": 80}]})
    assert [(each.get("name"), each["containerPort"]) for each in ports["ports"]] == [
        ("peers", 29400),
        ("metrics", 9400),
        ("debug", 5678),
        (None, 80),
    ]


def test_leaves_its_last_words_where_kubernetes_reads_them():
    given = {"terminationMessagePath": "/tmp/last"}
    assert container()["terminationMessagePath"] == environment()["GOSSIP_LAST_WORDS"]
    assert environment(given)["GOSSIP_LAST_WORDS"] == "/tmp/last"
    assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"
