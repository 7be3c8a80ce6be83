import pytest
from objects import raw_job, raw_pod

from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.projections import Key

KEY = Key("default", "digits")
UNREACHABLE = [{"key": "node.kubernetes.io/unreachable", "timeAdded": "2026-01-02T03:05:05Z"}]


@pytest.fixture
def changed():
    return []


@pytest.fixture
def mirror(changed):
    return Mirror(changed.append)


def test_a_job_and_its_pods_are_found_by_name_and_uid(mirror, changed):
    assert mirror.take_job(raw_job())
    assert mirror.take_pod(raw_pod(1))
    assert mirror.take_pod(raw_pod(0))
    assert mirror.job(KEY).uid == "job-1"
    assert [pod.member.index for pod in mirror.pods("job-1")] == [0, 1]
    assert changed == [KEY, KEY, KEY]


def test_what_does_not_change_a_record_concerns_nobody(mirror, changed):
    mirror.take_pod(raw_pod(version=1))
    changed.clear()
    assert not mirror.take_pod(raw_pod(version=2, managedFields=[{"manager": "kubelet"}]))
    assert changed == []


def test_pods_of_an_earlier_job_of_the_name_are_not_this_ones(mirror):
    mirror.take_job(raw_job(uid="job-2"))
    mirror.take_pod(raw_pod(owner="job-1"))
    assert mirror.pods("job-2") == ()


def test_a_job_that_is_made_anew_takes_its_predecessors_place(mirror):
    mirror.take_job(raw_job(uid="job-1", version=1))
    mirror.take_job(raw_job(uid="job-2", version=8))
    mirror.drop_job("job-1")
    assert mirror.job(KEY).uid == "job-2"


def test_late_news_of_a_predecessor_do_not_hide_the_job(mirror):
    mirror.take_job(raw_job(uid="job-2", version=8))
    mirror.take_job(raw_job(uid="job-1", version=1))
    assert mirror.job(KEY).uid == "job-2"


def test_a_job_that_is_gone_concerns_its_key(mirror, changed):
    mirror.take_job(raw_job())
    changed.clear()
    assert mirror.drop_job("job-1")
    assert mirror.job(KEY) is None
    assert changed == [KEY]


def test_a_pod_that_was_told_to_go_counts_as_deleted_before_the_watch_says_so(mirror):
    mirror.take_pod(raw_pod())
    mirror.mark_deleted("pod-0", 7.0)
    assert mirror.pods("job-1")[0].deleted == 7.0


def test_to_delete_a_pod_twice_does_not_make_it_younger(mirror):
    mirror.take_pod(raw_pod())
    mirror.mark_deleted("pod-0", 7.0)
    mirror.mark_deleted("pod-0", 9.0)
    assert mirror.pods("job-1")[0].deleted == 7.0


def test_the_answer_to_a_deletion_does_not_bring_back_a_pod_that_is_gone(mirror):
    mirror.take_pod(raw_pod())
    mirror.drop_pod("pod-0")
    mirror.mark_deleted("pod-0", 7.0)
    assert mirror.pods("job-1") == ()


def test_a_list_drops_pods_of_its_own_namespace_only(mirror, changed):
    mirror.take_pod(raw_pod(0, version=1))
    mirror.take_pod(raw_pod(1, version=1, namespace="other"))
    changed.clear()
    assert mirror.end_list_of_pods("default", set(), 5) == 1
    assert mirror.num_pods == 1
    assert changed == [KEY]


def test_a_list_of_the_whole_cluster_drops_any(mirror):
    mirror.take_pod(raw_pod(0, version=1))
    mirror.take_job(raw_job(version=1))
    assert mirror.end_list_of_pods(None, set(), 5) == 1
    assert mirror.end_list_of_jobs(None, {"job-1"}, 5) == 0


def test_a_pod_that_was_created_while_the_list_was_made_stays(mirror):
    mirror.take_pod(raw_pod(version=6))
    assert mirror.end_list_of_pods(None, set(), 5) == 0


def test_a_lost_node_concerns_the_jobs_that_have_pods_there_once(mirror, changed):
    mirror.take_pod(raw_pod(0))
    mirror.take_pod(raw_pod(1))
    changed.clear()
    node = {"metadata": {"name": "node-1"}, "spec": {"taints": UNREACHABLE}}
    assert mirror.take_node(node)
    assert not mirror.take_node(node)
    assert set(mirror.lost_nodes) == {"node-1"}
    assert changed == [KEY]


def test_a_node_that_comes_back_or_goes_for_good_is_no_longer_lost(mirror):
    for name in ("back", "gone", "vanished"):
        mirror.take_node({"metadata": {"name": name}, "spec": {"taints": UNREACHABLE}})
    assert mirror.take_node({"metadata": {"name": "back"}, "spec": {}})
    assert mirror.drop_node("gone")
    assert mirror.end_list_of_nodes({"back"}) == 1
    assert not mirror.lost_nodes


def test_of_two_jobs_of_one_name_only_the_newer_counts(mirror):
    mirror.take_job(raw_job(uid="job-1", version=1))
    mirror.take_job(raw_job(uid="job-2", version=8))
    mirror.take_job(raw_job("other", uid="job-3"))
    assert [job.uid for job in mirror.jobs()] == ["job-2", "job-3"]
    mirror.drop_job("job-3")
    assert [job.uid for job in mirror.jobs()] == ["job-2"]


def test_all_jobs_can_be_called_to_be_looked_at(mirror, changed):
    mirror.take_job(raw_job())
    mirror.take_job(raw_job("other", uid="job-3"))
    changed.clear()
    mirror.call_all()
    assert changed == [KEY, Key("default", "other")]
