import json


def test_a_valid_job_is_told_in_one_line(gossip, job_file):
    result = gossip("validate", job_file)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "job.yaml: valid: digits, Gossip, 8 workers\n"


def test_one_worker_is_singular(gossip, job_file):
    result = gossip(
        "validate", job_file, "--set", "workers.replicas=1", "--set", "workers.minReplicas=1"
    )

    assert result.stdout == "job.yaml: valid: digits, Gossip, 1 worker\n"


def test_all_problems_are_told_one_per_line_on_stderr(gossip, job_file):
    job_file.write_text(
        job_file.read_text().replace("budget", "budgt").replace("replicas: 8", "replicas: many")
    )

    result = gossip("validate", job_file)

    assert (result.exit_code, result.stdout) == (2, "")
    problems = result.stderr.splitlines()
    assert len(problems) == 3  # the wrong number, the unknown key and the missing one
    assert all(problem.startswith("job.yaml:") for problem in problems)
    assert any("did you mean budget" in problem for problem in problems)


def test_a_file_that_does_not_exist_is_invalid_input(gossip):
    result = gossip("validate", "missing.yaml")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "missing.yaml: cannot be read: No such file or directory\n"


def test_json_of_a_valid_job(gossip, job_file):
    result = gossip("validate", job_file, "--format", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"valid": True, "problems": []}


def test_json_of_an_invalid_job_holds_all_problems(gossip, job_file):
    result = gossip("validate", job_file, "--set", "x", "--set", "y", "--format", "json")

    assert (result.exit_code, result.stderr) == (2, "")
    answer = json.loads(result.stdout)
    assert answer["valid"] is False
    assert [problem.split(":")[0] for problem in answer["problems"]] == ["--set x", "--set y"]


def test_a_model_that_nobody_has_is_told_of_with_those_spelled_alike(gossip, job_file):
    result = gossip("validate", job_file, "--set", "training.model.name=restnet50")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("job.yaml: spec.training.model.name 'restnet50': ")
    assert "did you mean resnet50 or " in result.stderr

    result = gossip(
        "validate", job_file, "--set", "training.model.name=restnet50", "--format", "json"
    )

    assert result.exit_code == 2
    assert "did you mean resnet50 or " in json.loads(result.stdout)["problems"][0]


def test_a_model_of_torchvision_is_valid(gossip, job_file):
    result = gossip("validate", job_file, "--set", "training.model.name=convnext_tiny")

    assert (result.exit_code, result.stderr) == (0, "")


def test_data_and_model_are_tried_on_this_machine_where_that_is_asked_for(gossip, job_file):
    changes = ("--set", "training.model.args={hiden: [3]}")

    assert gossip("validate", job_file, *changes).exit_code == 0
    result = gossip("validate", job_file, *changes, "--here")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("job.yaml: spec.training.model.args.hiden: unknown argument")
    assert gossip("validate", job_file, "--here").exit_code == 0


def test_a_script_on_several_devices_is_refused(gossip, job_file):
    container = "{name: trainer, command: [python, train.py]}"
    changes = (
        *("--set", f"workers.template={{spec: {{containers: [{container}]}}}}"),
        *("--set", "workers.devicesPerWorker=2"),
    )

    result = gossip("validate", job_file, *changes, "--format", "json")

    (problem,) = json.loads(result.stdout)["problems"]
    assert problem.startswith("spec.workers.devicesPerWorker: 2, but spec.workers.template.spec")
