"""The Dockerfiles: what can be known of images without an engine that builds them."""

import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from gossip_api.loading import load_job
from gossip_operator.manifests.container import COMMAND
from gossip_operator.manifests.pod import USER

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
FILES = {name: ROOT / name / "Dockerfile" for name in ("operator", "trainer")}
CONTEXT = {
    line.removeprefix("!")
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
}


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined."""

    stage: int
    name: str
    words: tuple[str, ...]

    @property
    def text(self):
        return " ".join(self.words)


def instructions(path):
    found, stage = [], -1
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, tuple(rest.split())))
    return found


def locked(name):
    """Return the versions that a file of requirements names, by package."""
    text = (ROOT / "requirements" / name).read_text()
    found = {}
    for package, version in re.findall(r"^([a-z][a-z0-9.-]*)==(\S+)", text, re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.fixture(params=FILES.values(), ids=FILES)
def dockerfile(request):
    return instructions(request.param)


@pytest.fixture
def final(dockerfile):
    """The instructions of the last stage, which make the image, by name."""
    last = dockerfile[-1].stage
    found = {}
    for each in dockerfile:
        if each.stage == last:
            found.setdefault(each.name, []).append(each)
    return found


def test_everything_that_is_copied_is_part_of_what_the_engine_is_sent(dockerfile):
    for each in dockerfile:
        if each.name == "COPY" and not each.text.startswith("--from="):
            *sources, _ = each.words
            assert {source.partition("/")[0] for source in sources} <= CONTEXT
            assert all((ROOT / source).exists() for source in sources)


def test_both_stages_have_the_one_base_which_is_named_with_a_version(dockerfile):
    first = dockerfile[0]
    assert (first.name, first.stage) == ("ARG", -1)
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim-[a-z]+", first.text)
    bases = [each.words[0] for each in dockerfile if each.name == "FROM"]
    assert bases == ["${PYTHON_IMAGE}"] * 2


def test_the_image_runs_as_the_nobody_that_pods_are_given(final):
    assert final["USER"][-1].text == f"{USER}:{USER}"
    assert f"gossip:x:{USER}:{USER}:" in final["RUN"][0].text


def test_the_image_has_what_was_installed_and_neither_tools_nor_sources(final):
    assert [each.text for each in final["COPY"]] == ["--from=build /opt/gossip /opt/gossip"]


def test_the_entrypoint_is_the_module_that_the_manifests_start():
    entrypoints = {
        name: json.loads(each.text)
        for name, path in FILES.items()
        for each in instructions(path)
        if each.name == "ENTRYPOINT"
    }
    assert entrypoints["trainer"] == list(COMMAND)
    assert entrypoints["operator"] == ["python", "-m", "gossip_operator"]
    for _, _, module in entrypoints.values():
        assert find_spec(f"{module}.__main__")


def test_the_image_names_the_ports_that_are_used_by_default(final):
    ports = {int(port) for port in final["EXPOSE"][0].words}
    job = load_job(ROOT / "manifests/samples/digits.yaml").spec
    assert ports in ({8080}, {job.discovery.port, job.monitoring.metrics_port})


def test_the_labels_name_the_projects_version_and_licence(final):
    assert f"VERSION={VERSION}" in [each.text for each in final["ARG"]]
    (labels,) = final["LABEL"]
    pairs = dict(pair.split("=", 1) for pair in shlex.split(labels.text))
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix) for name in pairs} == {
        "title", "description", "version", "revision", "licenses",
    }  # fmt: skip
    assert pairs[f"{prefix}version"] == "${VERSION}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert pairs[f"{prefix}licenses"] == project["license"]


def test_whatever_is_installed_is_locked_by_its_hash_or_built_here(dockerfile):
    everything = " ".join(each.text for each in dockerfile if each.name == "RUN")
    installs = re.findall(r"install ((?:-\S+ (?:\"\S+\" )?)*)-r requirements/(\S+)", everything)
    assert len(installs) >= 2
    for options, file in installs:
        assert "--require-hashes" in options or file == "torch-cpu.txt"
    (built,) = re.findall(r"install ((?:-\S+ )*)/dist/\*\.whl", everything)
    assert "--no-deps" in built


@pytest.mark.parametrize("name", ["operator.txt", "trainer.txt", "build.txt"])
def test_every_requirement_of_an_image_has_hashes(name):
    text = (ROOT / "requirements" / name).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 5
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize(
    ("name", "extras"), [("operator.txt", ("operator", "kubectl")), ("trainer.txt", ("trainer",))]
)
def test_all_that_the_project_asks_for_is_locked(name, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    packages = {re.match(r"[A-Za-z0-9-]+", each)[0].lower() for each in asked}
    assert packages <= locked(name).keys()


def test_the_operators_image_has_the_versions_that_the_tests_run_with():
    tested = locked("dev.txt")
    for package, versions in locked("operator.txt").items():
        assert versions <= tested.get(package, versions), package
    assert {"kopf", "kubernetes", "typer"} <= locked("operator.txt").keys()
    assert "torch" not in locked("operator.txt")


def test_the_cpu_and_the_cuda_image_have_one_version_of_pytorch():
    cuda = locked("trainer.txt")
    assert locked("torch-cpu.txt") == {
        name: {f"{version}+cpu" for version in cuda[name]} for name in ("torch", "torchvision")
    }


def test_the_cpu_image_takes_everything_but_pytorch_and_cuda_from_the_lock():
    text = FILES["trainer"].read_text()
    (pattern,) = re.findall(r"skip = /\^(\(.*?\))==/", text)
    left_out = {name for name in locked("trainer.txt") if re.fullmatch(pattern, name)}
    assert {"torch", "torchvision", "triton", "nvidia-nccl-cu13"} <= left_out
    kept = locked("trainer.txt").keys() - left_out
    assert {"numpy", "sympy", "filelock", "scikit-learn"} <= kept
    assert not [name for name in kept if name.startswith(("cuda", "nvidia", "torch"))]
