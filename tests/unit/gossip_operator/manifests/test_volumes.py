"""What is mounted into the container `trainer`."""

import pytest
from manifest_jobs import job, pod_of, templated, trainer_of, trainer_template


def mounts(pod):
    return {each["mountPath"]: each for each in trainer_of(pod)["volumeMounts"]}


def volumes(pod):
    return {each["name"]: each for each in pod["spec"]["volumes"]}


def test_every_mount_has_its_volume_and_every_volume_is_mounted_once():
    pod = pod_of(job())
    mounted = [mount["name"] for mount in mounts(pod).values()]
    assert sorted(mounted) == sorted(volumes(pod))


@pytest.mark.parametrize("path", ["/tmp", "/var/gossip", "/dev/shm"])
def test_a_process_may_write_there_but_nowhere_else(path):
    assert "readOnly" not in mounts(pod_of(job()))[path]
    others = [each for where, each in mounts(pod_of(job())).items() if where.startswith("/etc")]
    assert others
    assert all(mount["readOnly"] for mount in others)


def test_shared_memory_is_memory():
    pod = pod_of(job())
    name = mounts(pod)["/dev/shm"]["name"]
    assert volumes(pod)[name]["emptyDir"] == {"medium": "Memory"}


@pytest.mark.parametrize("path", ["/tmp", "/var/gossip/", "/dev/shm"])
def test_what_the_user_mounts_there_takes_the_place(path):
    own = {"name": "own", "mountPath": path}
    pod = pod_of(
        templated(
            trainer_template({"volumeMounts": [own]}, volumes=[{"name": "own", "emptyDir": {}}])
        )
    )
    at = [each for where, each in mounts(pod).items() if where.rstrip("/") == path.rstrip("/")]
    assert at == [own]
    assert len(volumes(pod)) == len(volumes(pod_of(job())))


def test_keys_are_mounted_only_with_mutual_tls():
    assert "/etc/gossip/tls" in mounts(pod_of(job()))
    assert "/etc/gossip/tls" not in mounts(pod_of(job(security={"mutualTLS": False})))


TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_the_token_is_for_the_trainer_alone_and_only_where_it_asks_the_api_server():
    sidecar = {"name": "sidecar", "image": "images.example/side:1"}
    template = trainer_template()
    template["spec"]["containers"].append(sidecar)
    pod = pod_of(templated(template))
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["serviceAccountName"] == "mnist-peers"
    assert TOKEN in mounts(pod)
    assert sidecar in pod["spec"]["containers"]
    by_dns = pod_of(job(discovery={"source": "DNS"}))
    assert TOKEN not in mounts(by_dns)
    assert "serviceAccountName" not in by_dns["spec"]


def test_the_token_lies_as_kubernetes_clients_look_for_it():
    pod = pod_of(job())
    sources = volumes(pod)[mounts(pod)[TOKEN]["name"]]["projected"]["sources"]
    assert sources[0]["serviceAccountToken"]["path"] == "token"
    assert sources[1]["configMap"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert sources[2]["downwardAPI"]["items"][0]["path"] == "namespace"
