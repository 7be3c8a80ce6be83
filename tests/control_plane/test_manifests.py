"""What is installed with kustomize: the API server takes it, the operator knows what it is told."""

import json
from pathlib import Path

import pytest
import yaml
from cluster_jobs import job
from operators import Operator
from testbed.errors import BedError
from testbed.waiting import wait_for

from gossip_operator.cli import PREFIX
from gossip_operator.cli import main as operator_main
from gossip_operator.shell import app

pytestmark = [
    pytest.mark.control_plane,
    pytest.mark.usefixtures("definition"),
    pytest.mark.timeout(120),
]

MANIFESTS = Path("manifests")
SYSTEM = "gossip-system"
VARIANTS = {
    "base": MANIFESTS / "base",
    "namespaced": MANIFESTS / "overlays/namespaced",
    "high-availability": MANIFESTS / "overlays/high-availability",
    "monitoring": MANIFESTS / "overlays/monitoring",
}
MONITORING_KINDS = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}
LOCAL_IMAGE = "testbed.local/host:1"


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def named(objects, kind, name):
    """Return the one object of a kind whose name begins so."""
    (found,) = (
        each
        for each in objects
        if each["kind"] == kind and each["metadata"]["name"].startswith(name)
    )
    return found


def is_available(bed, namespace):
    found = bed.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/gossip-operator")
    told = {c["type"]: c["status"] for c in found.get("status", {}).get("conditions", ())}
    return (
        told.get("Available") == "True"
        and found["status"].get("updatedReplicas") == (found["spec"]["replicas"])
    )


@pytest.fixture
def build(control_plane):
    """Build a variant with kustomize: its objects."""
    return lambda path: documents(control_plane.kubectl("kustomize", str(path)))


@pytest.fixture(scope="module")
def monitoring_definitions(control_plane):
    """Definitions such as the Prometheus operator brings, which take anything."""
    made = [_definition(kind, plural) for kind, plural in MONITORING_KINDS.items()]
    text = yaml.safe_dump_all(made)
    control_plane.kubectl("apply", "-f", "-", stdin=text)
    names = [f"crd/{each['metadata']['name']}" for each in made]
    control_plane.kubectl("wait", "--for=create", "--timeout=20s", *names)
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=20s", *names)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=text)


def _definition(kind, plural):
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    group = "monitoring.coreos.com"
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


@pytest.fixture
def clean(control_plane, account):
    """Leave of the operator's installation what the other tests go by: its account and rights."""
    yield
    control_plane.kubectl(
        "delete", "deployment,service,configmap,pdb,pod",
        "-n", SYSTEM, "-l", "app.kubernetes.io/part-of=gossip-training", "--ignore-not-found",
    )  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_is_taken_as_it_is_and_applied_again_changes_nothing(
    control_plane, monitoring_definitions, clean, variant
):
    def apply():
        control_plane.kubectl("apply", "--server-side", "--validate=strict", "-k", str(variant))
        found = json.loads(control_plane.kubectl("get", "-k", str(variant), "-o", "json"))
        return {each["metadata"]["uid"]: _state(each["metadata"]) for each in found["items"]}

    first = apply()
    assert len(first) >= 12
    assert apply() == first


def _state(metadata):
    """Tell what changes with an object's content, but not with its status."""
    return metadata.get("generation") or metadata["resourceVersion"]


@pytest.mark.parametrize("variant", ["base", "high-availability"])
def test_the_operators_pods_are_admitted_and_its_replicas_are_on_nodes_of_their_own(
    control_plane, clean, variant
):
    control_plane.kubectl("apply", "--server-side", "-k", str(VARIANTS[variant]))
    wait_for(lambda: is_available(control_plane, SYSTEM), "the operator's Deployment", seconds=60)
    pods = control_plane.api.list(
        f"/api/v1/namespaces/{SYSTEM}/pods", labelSelector="app.kubernetes.io/name=gossip-operator"
    )
    running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(running) == {"base": 1, "high-availability": 2}[variant]
    assert len({pod["spec"]["nodeName"] for pod in running}) == len(running)


@pytest.mark.parametrize("variant", ["base", "namespaced"])
def test_the_operator_understands_what_its_pod_tells_it(build, monkeypatch, variant):
    objects = build(VARIANTS[variant])
    pod = named(objects, "Deployment", "gossip-operator")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = named(objects, "ConfigMap", "gossip-operator")["data"] | {
        variable["name"]: SYSTEM for variable in container.get("env", ())
    }
    understood = {}

    async def run(settings):
        understood["settings"] = settings

    monkeypatch.setattr(app, "run", run)
    for name, value in variables.items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, value)
    python, dash_m, module, *arguments = container["command"]
    assert (python, dash_m, module) == ("python", "-m", "gossip_operator")
    assert operator_main(arguments) == 0

    settings = understood["settings"]
    assert settings.default_image == variables[f"{PREFIX}DEFAULT_IMAGE"]
    assert settings.namespaces == ((SYSTEM,) if variant == "namespaced" else ())
    assert settings.lease is not None
    assert settings.kubeconfig is None
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings.health_address == f"0.0.0.0:{ports['http']}"


def test_the_probes_and_the_service_meet_what_the_operator_serves(
    build, control_plane, account, simulated_namespace, tmp_path
):
    objects = build(VARIANTS["monitoring"])
    pod = named(objects, "Deployment", "gossip-operator")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    scrape = named(objects, "ServiceMonitor", "gossip-operator")["spec"]["endpoints"][0]
    operator = Operator(control_plane.kubeconfig, tmp_path / "log", (simulated_namespace,))
    operator.start()
    try:
        answers = {path: operator.answer(path) for path in [p["path"] for p in probes]}
        assert set(answers.values()) == {200}
        assert operator.answer(scrape["path"]) == 200
    finally:
        operator.kill()
    service = named(objects, "Service", "gossip-operator")["spec"]
    assert {probe["port"] for probe in probes} == {scrape["port"]}
    assert [port["name"] for port in service["ports"]] == [scrape["port"]]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()


@pytest.fixture
def kustomization(simulated_namespace, tmp_path):
    """A kustomization of a user's own, which installs for one namespace and names its images."""
    (tmp_path / "checkout").symlink_to(Path.cwd())
    document = {
        "namespace": simulated_namespace,
        "resources": ["checkout/manifests/overlays/namespaced"],
        "images": [{"name": "gossip-operator", "newName": "registry.example/op", "newTag": "7"}],
        "configMapGenerator": [
            {
                "name": "gossip-operator",
                "namespace": SYSTEM,
                "behavior": "merge",
                "literals": [f"{PREFIX}DEFAULT_IMAGE={LOCAL_IMAGE}"],
            }
        ],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def test_for_one_namespace_the_operator_may_act_there_and_nowhere_else(
    control_plane, jobs, simulated_namespace, kustomization, build, tmp_path
):
    objects = build(kustomization)
    assert {each["metadata"].get("namespace", simulated_namespace) for each in objects} == {
        simulated_namespace
    }
    container = named(objects, "Deployment", "")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/op:7"
    control_plane.kubectl("apply", "--server-side", "-k", str(kustomization))
    wait_for(lambda: is_available(control_plane, simulated_namespace), "the Deployment")

    config = control_plane.write_kubeconfig(simulated_namespace, "gossip-operator")
    options = ("--lease-namespace", simulated_namespace)
    operator = Operator(config, tmp_path / "log", (simulated_namespace,), options)
    operator.start()
    try:
        # The namespace demands the standard `restricted`, which the pods of jobs meet.
        name = jobs.create(job(replicas=2))
        jobs.wait_ready(name, 2)
        assert operator.metric("gossip_operator_api_requests_total", code="403") == 0
    finally:
        operator.kill()
        print(operator.log.read_text())
    for verb, what in (("list", "pods"), ("list", "secrets"), ("list", "gtj"), ("list", "nodes")):
        assert not may(control_plane, verb, what, f"{simulated_namespace}:gossip-operator")


def may(bed, verb, what, account, *options):
    try:
        said = bed.kubectl(
            "auth", "can-i", verb, what, f"--as=system:serviceaccount:{account}",
            *(options or ("--all-namespaces",)),
        )  # fmt: skip
    except BedError:  # what kubectl makes of a plain no
        return False
    return said.strip() == "yes"


@pytest.mark.parametrize(
    ("role", "granted"),
    [("view", {"get", "list", "watch"}), ("edit", {"get", "list", "watch", "create", "delete"})],
)
def test_who_may_view_or_edit_in_a_namespace_may_view_or_edit_its_jobs(
    control_plane, simulated_namespace, role, granted
):
    control_plane.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "base/user-roles.yaml"))
    person = f"{simulated_namespace}:default"
    control_plane.kubectl(
        "create", "rolebinding", "person", f"--clusterrole={role}", f"--serviceaccount={person}",
        "-n", simulated_namespace,
    )  # fmt: skip

    def granted_verbs():
        asked = ("get", "list", "watch", "create", "delete")
        within = ("-n", simulated_namespace)
        return {verb for verb in asked if may(control_plane, verb, "gtj", person, *within)}

    # Kubernetes adds the roles up a moment after they are made.
    wait_for(lambda: granted_verbs() == granted, f"the rights of {role}", seconds=20)
    for part, verb in (("scale", "patch"), ("status", "patch")):
        allowed = may(
            control_plane, verb, "gtj", person, f"--subresource={part}", "-n", simulated_namespace
        )
        assert allowed == (role == "edit" and part == "scale")


def test_the_one_file_for_kubectl_apply_is_what_kustomize_builds_of_the_base(build):
    assert documents((MANIFESTS / "install.yaml").read_text()) == build(VARIANTS["base"])
