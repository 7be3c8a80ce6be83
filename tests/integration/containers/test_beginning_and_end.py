"""How a job begins, loses, regains and ends, one sentence of the protocol at a time."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from gossip_trainer.observability.events import Began, Called, Evaluation, Finished

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(180)]

NEVER = {"samples": 100_000_000}


def wait_until(holds, seconds=40.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return found


def test_a_job_begins_in_any_order_ends_with_a_result_and_everybody_says_so(cluster):
    job = cluster(training__budget={"samples": 20_000}, workers__minReplicas=2)
    second = job.start("worker-1-0")
    wait_until(lambda: second.is_ready)
    assert second.status.phase == "Waiting"  # below minReplicas nobody begins
    first, evaluator = job.start_all("worker-0-0", "evaluator-0-0")

    assert [each.wait(90) for each in (first, second, evaluator)] == [0, 0, 0]

    for worker in (first, second):
        words = worker.last_words
        assert (words.finished, words.released, words.stop.reason) == (True, True, "budget")
        assert words.job_samples >= 20_000
        (began,) = job.records(worker, Began)
        assert began.model_from == "seed"
    words = evaluator.last_words
    assert (words.finished, words.reason) == (True, None)
    assert words.result.accuracy > 0.8
    assert words.result.job_samples >= 20_000
    assert (evaluator.output / "model.safetensors").exists()


def test_a_replacement_copies_a_peers_model_to_the_bit(cluster):
    job = cluster(training__budget=NEVER)
    first, second = job.start_all("worker-0-0", "worker-1-0")
    first.wait_for_step(100)
    second.send(signal.SIGKILL)
    second.wait()
    job.remove(second)

    third = job.start("worker-1-1", fresh=False)
    third.wait_for_step(101)

    (began,) = job.records(third, Began)
    assert began.model_from == "worker-0-0"
    assert began.step >= 100
    published = {
        called.step: called.digest
        for called in job.records(first, Called)
        if called.call == "published"
    }
    assert began.digest == published[began.step]


def test_a_process_restarted_in_place_copies_a_peer_although_it_is_told_that_nobody_trained(
    cluster,
):
    job = cluster(training__budget=NEVER)
    first, second = job.start_all("worker-0-0", "worker-1-0")
    second.wait_for_step(100)
    first.send(signal.SIGKILL)
    first.wait()

    again = job.restart(first, fresh=True)
    again.wait_for_step(101)

    beginnings = job.records(again, Began)
    assert [began.model_from for began in beginnings] == ["seed", "worker-1-0"]
    assert beginnings[-1].step >= 100


def test_a_fresh_rank_that_comes_late_copies_a_peer_too(cluster):
    job = cluster(training__budget=NEVER, workers__minReplicas=1)
    first = job.start("worker-0-0")
    first.wait_for_step(100)

    late = job.start("worker-7-0", fresh=True)  # its pod was pending, or the job was scaled up
    late.wait_for_step(101)

    (began,) = job.records(late, Began)
    assert (began.model_from, began.step >= 100) == ("worker-0-0", True)


def test_a_replacement_with_nobody_to_copy_waits_and_fails_with_the_reason(cluster):
    job = cluster(runPolicy={"startDeadline": "3s"})
    alone = job.start("worker-0-1", fresh=False)
    assert alone.wait() == 1
    words = alone.last_words
    assert "does not begin from scratch" in words.reason
    assert not words.finished


def test_where_nobody_has_trained_a_replacement_that_is_alone_begins_from_the_seed(cluster):
    job = cluster(training__budget=NEVER)
    alone = job.start("worker-0-1", fresh=True)
    alone.wait_for_step(1)
    (began,) = job.records(alone, Began)
    assert began.model_from == "seed"


def test_a_worker_told_to_go_finishes_its_step_and_leaves_while_the_job_goes_on(cluster):
    job = cluster(training__budget=NEVER)
    first, second, evaluator = job.start_all("worker-0-0", "worker-1-0", "evaluator-0-0")
    first.wait_for_step(50)
    second.wait_for_step(50)

    began = time.monotonic()
    second.send(signal.SIGTERM)
    wait_until(lambda: not second.is_ready, 2)
    assert second.wait(20) == 0
    print(f"left after {time.monotonic() - began:.1f} s")

    words = second.last_words
    assert (words.finished, words.stop) == (False, None)
    assert words.step >= 50
    (finished,) = job.records(second, Finished)
    assert finished.left
    assert not list(job.peers.glob("worker-1-*"))
    # Its last count is known, and nobody takes its going for the end of the job.
    assert first.status.job_samples >= words.samples
    step = first.status.step
    first.wait_for_step(step + 50)
    assert evaluator.status.phase == "Serving"


def test_the_last_worker_told_to_go_does_not_end_the_job(cluster):
    job = cluster(training__budget=NEVER, workers__replicas=1)
    worker, evaluator = job.start_all("worker-0-0", "evaluator-0-0")
    worker.wait_for_step(50)
    worker.send(signal.SIGTERM)
    assert worker.wait(20) == 0
    time.sleep(2)
    assert evaluator.status.phase == "Serving"
    assert not [record for record in job.records(evaluator, Evaluation) if record.final]


@pytest.mark.parametrize("name", ["evaluator-0-0", "server-0-0"])
def test_an_evaluator_or_server_told_to_go_goes_at_once_and_has_not_finished(cluster, name):
    strategy = {"type": "ElasticAveraging"}
    job = cluster(training__budget=NEVER, strategy=strategy)
    container = job.start(name)
    wait_until(lambda: container.is_ready)
    began = time.monotonic()
    container.send(signal.SIGTERM)
    assert container.wait(10) == 0
    assert time.monotonic() - began < 6
    assert not container.last_words.finished


def test_a_replaced_evaluator_concludes_even_if_all_workers_had_finished_before_it_came(cluster):
    job = cluster(training__budget={"samples": 6_000})
    workers = job.start_all("worker-0-0", "worker-1-0")
    for worker in workers:
        wait_until(lambda worker=worker: worker.status and worker.status.phase == "Finished", 90)
    assert all(worker.is_ready for worker in workers)  # they serve their final models, frozen

    evaluator = job.start("evaluator-0-1", fresh=False)

    assert evaluator.wait() == 0
    assert evaluator.last_words.result.accuracy > 0.5
    (final,) = (record for record in job.records(evaluator, Evaluation) if record.final)
    assert final.averaged == 2
    assert [worker.wait(10) for worker in workers] == [0, 0]
    assert all(worker.last_words.released for worker in workers)


def test_a_late_replacement_that_hears_that_the_job_is_over_has_nothing_to_do(cluster):
    job = cluster(training__budget={"samples": 6_000})
    first, second = job.start_all("worker-0-0", "worker-1-0")
    wait_until(lambda: first.status and first.status.phase == "Finished", 90)
    second.send(signal.SIGKILL)
    second.wait()
    job.remove(second)

    late = job.start("worker-1-1", fresh=False)

    assert late.wait() == 0
    words = late.last_words
    assert (words.finished, words.released, words.step) == (True, False, 0)
    assert words.stop.reason == "budget"
    assert not job.records(late, Began)


def test_a_deadline_is_the_reason_that_everybody_gives(cluster):
    job = cluster(training__budget=NEVER, runPolicy={"activeDeadline": "3s"})
    containers = job.start_all("worker-0-0", "worker-1-0", "evaluator-0-0")
    assert [container.wait(60) for container in containers] == [0, 0, 0]
    assert {container.last_words.stop.reason for container in containers} == {"deadline"}


def test_an_old_incarnation_that_lives_on_is_refused_by_its_peers_and_ends(cluster, tmp_path):
    job = cluster(training__budget=NEVER)
    # The old one's own roster is cut off: it never hears from there that it was replaced.
    cut_off = tmp_path / "cut-off"
    first = job.start("worker-0-0")
    wait_until(lambda: list(job.peers.glob("worker-0-0.json")))
    shutil.copytree(job.peers, cut_off)
    old = job.start("worker-1-0", peers=cut_off)
    wait_until(lambda: list(cut_off.glob("worker-1-0.json")))
    shutil.copy(cut_off / "worker-1-0.json", job.peers)
    old.wait_for_step(50)
    old.send(signal.SIGSTOP)
    job.remove(old)
    new = job.start("worker-1-1", fresh=False)
    new.wait_for_step(51)

    old.send(signal.SIGCONT)

    assert old.wait(10) == 0
    words = old.last_words
    assert (words.finished, words.reason) == (False, "replaced by worker-1-1")
    assert first.status.peers == 1


def test_a_server_restarted_in_place_goes_on_with_what_it_kept(cluster, monkeypatch):
    job = cluster(
        training__budget={"seconds": 25},
        strategy={"type": "ElasticAveraging"},
    )
    server, *others = job.start_all("server-0-0", "worker-0-0", "worker-1-0", "evaluator-0-0")
    wait_until(lambda: list(server.output.glob(".server-0-0.part.safetensors")), 60)
    server.send(signal.SIGKILL)
    server.wait()
    steps = others[0].status.step

    again = job.restart(server)

    wait_until(lambda: again.status and again.status.step > 0)
    assert others[0].status.step > steps  # workers went on meanwhile
    assert [container.wait(90) for container in (*others, again)] == [0, 0, 0, 0]
    assert others[-1].last_words.result.accuracy > 0.8


def test_the_containers_command_is_the_process_module(cluster):
    finished = subprocess.run(
        [sys.executable, "-m", "gossip_trainer.process"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 64
    assert "GOSSIP_ROLE: is not set" in finished.stdout
