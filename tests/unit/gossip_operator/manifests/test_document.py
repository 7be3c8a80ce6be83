"""The job document that every pod mounts."""

from manifest_jobs import children_of, environment_of, job, pod_of, templated, trainer_of

from gossip_api.loading import parse_job


def text(of):
    return children_of(of)["ConfigMap"]["data"]["job.yaml"]


def test_is_the_job_with_every_default_and_runs_as_it_is():
    of = job(workers={"replicas": 7})
    assert parse_job(text(of)) == of
    assert "startDeadline: 30m" in text(of)


def test_leaves_out_what_tools_annotated_the_job_with():
    annotated = job(annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}"})
    assert text(annotated) == text(job())


def test_is_the_same_for_equal_templates_however_they_are_ordered():
    one = templated({"spec": {"nodeSelector": {"a": "1", "b": "2"}, "priorityClassName": "p"}})
    other = templated({"spec": {"priorityClassName": "p", "nodeSelector": {"b": "2", "a": "1"}}})
    assert text(one) == text(other)
    assert "priorityClassName: p" in text(one)


def test_lies_where_the_process_is_told_to_read_it():
    pod = pod_of(job())
    (volume,) = [each for each in pod["spec"]["volumes"] if "configMap" in each]
    assert volume["configMap"]["name"] == children_of(job())["ConfigMap"]["metadata"]["name"]
    (mount,) = [each for each in trainer_of(pod)["volumeMounts"] if each["name"] == volume["name"]]
    assert environment_of(pod)["GOSSIP_JOB_FILE"] == f"{mount['mountPath']}/job.yaml"
