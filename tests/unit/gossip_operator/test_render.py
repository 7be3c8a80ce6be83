"""`python -m gossip_operator render`: all that a job would be, without a cluster."""

from argparse import ArgumentParser
from pathlib import Path

import pytest
import yaml

from gossip_api.loading import load_job
from gossip_operator import render

GOLDEN = Path(__file__).parent / "golden"
IMAGE = "images.example/default:1"


def run(*arguments):
    parser = ArgumentParser()
    render.add_arguments(parser)
    return render.run(parser.parse_args([str(argument) for argument in arguments]))


def objects(text):
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("name", ["plain", "gpu", "restricted"])
def test_what_is_created_is_what_was_agreed_on(name):
    rendered = render.render(load_job(GOLDEN / f"{name}.job.yaml"), default_image=IMAGE)
    assert rendered == (GOLDEN / f"{name}.yaml").read_text(), (
        "if the change is meant, write it down with `python -m gossip_operator render "
        f"{name}.job.yaml --default-image {IMAGE} > {name}.yaml`"
    )


def test_servers_come_before_workers_and_the_evaluator_last():
    found = objects(render.render(load_job(GOLDEN / "gpu.job.yaml")))
    assert [each["metadata"]["name"] for each in found if each["kind"] == "Pod"] == [
        "gpu-server-0-0",
        "gpu-worker-0-0",
        "gpu-worker-1-0",
        "gpu-evaluator-0-0",
    ]


def test_keys_are_placeholders(capsys):
    assert run(GOLDEN / "plain.job.yaml") == 0
    (secret,) = [each for each in objects(capsys.readouterr().out) if each["kind"] == "Secret"]
    assert set(secret["stringData"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert set(secret["stringData"].values()) == {render.PLACEHOLDER}
    assert "data" not in secret


def test_the_namespace_can_be_given(capsys):
    assert run(GOLDEN / "gpu.job.yaml", "--namespace", "other") == 0
    out = capsys.readouterr().out
    assert {each["metadata"]["namespace"] for each in objects(out)} == {"other"}
    assert "vision/" not in out
    assert "endpointslices:other/gpu-peers" in out


def test_a_suspended_job_has_no_pods(tmp_path):
    suspended = tmp_path / "job.yaml"
    text = (GOLDEN / "plain.job.yaml").read_text().replace("spec:", "spec:\n  suspend: true", 1)
    suspended.write_text(text)
    assert "Pod" not in {each["kind"] for each in objects(render.render(load_job(suspended)))}


def test_a_file_that_is_no_job_is_refused_with_place_and_reason(tmp_path, capsys):
    broken = tmp_path / "job.yaml"
    broken.write_text(
        (GOLDEN / "plain.job.yaml").read_text().replace("batchSize: 16", "batchSize: 0")
    )
    assert run(broken) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{broken}:10:" in printed.err
