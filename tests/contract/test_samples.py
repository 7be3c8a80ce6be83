"""The job files that come along: each is valid, says how to use it, renders, and trains."""

import re
from pathlib import Path

import pytest
import yaml

from gossip_api.loading import load_job
from gossip_api.strategy import Strategy
from gossip_operator.cli import main as operator_main
from gossip_trainer.simulation.simulator import simulate

FOLDER = Path(__file__).parents[2] / "manifests" / "samples"
SAMPLES = sorted(FOLDER.glob("*.yaml"))
NUMBERED = [path for path in SAMPLES if path.stem[:2].isdigit()]
FROM_FILES = {"cifar10", "fashion-mnist", "imagefolder", "webdataset"}
WITHOUT_FILES = [
    path for path in SAMPLES if load_job(path).spec.training.data.name not in FROM_FILES
]
STEPS = "training.budget={stepsPerWorker: 25}"
MACHINES = "simulation={computeSeconds: {mean: 0.02}}"


def named(path):
    return path.stem


def header_of(path):
    return path.read_text().partition("apiVersion")[0]


@pytest.fixture(autouse=True)
def own_models_are_found(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_a_sample_is_valid_and_its_job_is_named_after_the_file(path):
    number, _, rest = path.stem.partition("-")
    assert load_job(path).metadata.name == (rest if number.isdigit() else path.stem)


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_a_sample_begins_with_what_it_shows_and_the_command(path):
    header = header_of(path)
    assert all(line.startswith("#") for line in header.splitlines())
    assert f" manifests/samples/{path.name}" in header


@pytest.mark.parametrize("path", NUMBERED, ids=named)
def test_a_numbered_sample_says_how_to_run_apply_watch_read_and_remove_it(path):
    name, header = load_job(path).metadata.name, header_of(path)
    commands = dict(re.findall(r"^# ([A-Z][a-z ]+): +(.+)$", header, re.MULTILINE))
    assert f"gossip run manifests/samples/{path.name}" in commands["Run here"]
    assert "kubectl" in commands["Apply"]
    assert f"kubectl apply -f manifests/samples/{path.name}" in header
    watched = rf"gtj {name}|pods -l gossip.training/job-name={name}( -o wide)?"
    assert re.fullmatch(rf"kubectl get ({watched}) -w", commands["Watch"])
    assert commands["Read logs"].startswith(f"kubectl logs -l gossip.training/job-name={name}")
    assert re.fullmatch(rf"kubectl delete gtj[ /]{name}( configmap/\S+)?", commands["Clean up"])


def test_the_samples_are_numbered_without_a_gap():
    numbers = [int(path.stem[:2]) for path in NUMBERED]
    assert numbers == list(range(1, len(numbers) + 1))


def test_there_is_a_sample_of_every_strategy_and_every_exchange():
    strategies = [load_job(path).spec.strategy for path in SAMPLES]
    kinds = set(Strategy.model_fields["type"].annotation.__args__)
    assert {strategy.type for strategy in strategies} == kinds
    exchanges = {strategy.gossip.exchange for strategy in strategies if strategy.gossip}
    assert exchanges == {"Pull", "Push", "Pairwise", "PushSum"}
    averagings = {strategy.local_sgd.averaging for strategy in strategies if strategy.local_sgd}
    assert averagings == {"AllReduce", "Gossip"}


@pytest.mark.parametrize("path", SAMPLES, ids=named)
def test_a_sample_renders_to_a_pod_for_every_process_and_one_image(path, capsys):
    assert operator_main(["render", str(path), "--default-image", "trainer:1"]) == 0
    pods = [d for d in yaml.safe_load_all(capsys.readouterr().out) if d["kind"] == "Pod"]
    spec = load_job(path).spec
    assert len(pods) == spec.workers.replicas + spec.num_shards + 1
    images = {pod["spec"]["containers"][0]["image"] for pod in pods}
    assert len(images) == 1
    assert images <= {"trainer:1", "gossip-trainer:0.1.0-cuda"}


def test_only_the_workers_of_the_gpu_sample_ask_for_one_and_only_kueues_pods_wait(capsys):
    def pods(sample):
        operator_main(["render", str(FOLDER / sample)])
        everything = yaml.safe_load_all(capsys.readouterr().out)
        return [each for each in everything if each["kind"] == "Pod"]

    def limits(pod):
        return pod["spec"]["containers"][0]["resources"]["limits"]

    by_role = {
        pod["metadata"]["labels"]["gossip.training/role"]: limits(pod)
        for pod in pods("13-gpu.yaml")
    }
    assert by_role["worker"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in by_role["evaluator"]
    gates = [pod["spec"].get("schedulingGates") for pod in pods("15-kueue.yaml")]
    assert gates == [[{"name": "kueue.x-k8s.io/admission"}]] * 4


def test_a_training_script_is_the_workers_and_its_folder_everybodys(capsys):
    operator_main(["render", str(FOLDER / "20-own-loop.yaml"), "--default-image", "trainer:1"])
    pods = [d for d in yaml.safe_load_all(capsys.readouterr().out) if d["kind"] == "Pod"]
    script = {"name": "script", "mountPath": "/train", "readOnly": True}
    commands = set()
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["workingDir"] == "/train"
        assert script in container["volumeMounts"]
        role = pod["metadata"]["labels"]["gossip.training/role"]
        commands.add((role, " ".join(container["command"])))
    assert commands == {
        ("worker", "python -m own_loop"),
        ("evaluator", "python -m gossip_trainer.process"),
    }


@pytest.mark.parametrize("path", WITHOUT_FILES, ids=named)
def test_a_sample_trains_in_virtual_time(path):
    machines = [] if load_job(path).spec.simulation else [MACHINES]
    result = simulate(load_job(path, [STEPS, *machines, "simulation.faults=[]"]))
    assert result.final.final
    assert result.final.loss is not None
    assert result.steps_per_worker > 0
