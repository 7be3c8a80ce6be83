"""From whatever state a job is in, carrying out plans comes to rest, and harms nothing healthy."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from planned_world import SCORE, World

from gossip_api.names import Role

NODES = ["node-0", "node-1"]
SELDOM = st.sampled_from([False, False, True])
NUMBERS = st.integers(0, 99)


class Job(RuleBasedStateMachine):
    """A job on a cluster where everything happens, in any order; World checks every plan."""

    @initialize(
        replicas=st.integers(1, 5),
        servers=st.booleans(),
        clean=st.sampled_from(["Running", "All", "None"]),
        limit=st.integers(0, 2),
        minimum=st.integers(1, 3),
    )
    def apply(self, replicas, servers, clean, limit, minimum):
        self.world = World(
            replicas=replicas,
            min_replicas=min(minimum, replicas),
            strategy="ElasticAveraging" if servers else "Gossip",
            policy={"cleanPods": clean, "backoffLimitPerWorker": limit, "ttlAfterFinished": "1h"},
        )
        self.ended = None
        self.life_goes_on(step=1, seconds=5)

    def some(self, number, condition):
        """Choose one of the pods for which the condition holds; None if it does for none."""
        pods = [pod for name, pod in sorted(self.world.pods.items()) if condition(pod)]
        return pods[number % len(pods)] if pods else None

    def a_running(self, number):
        return self.some(
            number, lambda pod: pod.phase == "Running" and pod.trainer.state != "terminated"
        )

    # Said three times, so that more happens than faults.
    @rule(step=st.integers(0, 50), seconds=st.sampled_from([1, 5, 60]))
    def life_goes_on(self, step, seconds):
        if not self.world.is_gone:
            self.world.settle()
            self.world.start_all()
            self.world.train(step)
            self.world.pass_time(seconds)
            self.world.settle()

    life_goes_on_as_it_should = life_goes_on
    life_goes_on_as_ever = life_goes_on

    @rule()
    def the_operator_acts(self):
        if not self.world.is_gone:
            self.world.reconcile()

    @rule()
    def all_pods_start(self):
        self.world.start_all()

    @rule(number=NUMBERS, node=st.sampled_from(NODES))
    def a_pod_starts(self, number, node):
        pod = self.some(number, lambda pod: pod.phase == "Pending" and pod.deleted is None)
        if pod is not None:
            self.world.start(pod.name, node)

    @rule(step=st.integers(0, 50))
    def workers_train(self, step):
        self.world.train(step)

    @rule(number=NUMBERS)
    def a_pod_is_deleted(self, number):
        pod = self.some(number, lambda pod: pod.deleted is None and self.world.is_recorded(pod))
        if pod is not None and not self.has_result(pod):
            self.world.delete(pod.name)

    @rule(number=NUMBERS)
    def a_pod_vanishes(self, number):
        pod = self.some(number, self.world.is_recorded)
        if pod is not None and not self.has_result(pod):
            del self.world.pods[pod.name]

    @rule()
    def all_deleted_pods_end(self):
        for pod in list(self.world.pods.values()):
            on_its_node = pod.deleted is not None and pod.node not in self.world.lost_nodes
            if on_its_node and self.world.is_recorded(pod):
                del self.world.pods[pod.name]

    @rule(number=NUMBERS)
    def a_deleted_pod_leaves(self, number):
        pod = self.some(number, lambda pod: pod.deleted is not None and pod.phase == "Running")
        if pod is not None:
            self.world.leave(pod.name)

    @rule(number=NUMBERS)
    def a_pod_is_evicted(self, number):
        pod = self.a_running(number)
        if pod is not None:
            self.world.evict(pod.name)

    @rule(number=NUMBERS)
    def a_process_is_killed_and_starts_again(self, number):
        pod = self.a_running(number)
        if pod is not None:
            self.world.restart(pod.name)

    @rule(number=NUMBERS)
    def a_process_crashes_again_and_again(self, number):
        pod = self.a_running(number)
        if pod is not None:
            self.world.crash_loop(pod.name)

    @rule(number=NUMBERS)
    def a_pod_fails(self, number):
        pod = self.a_running(number)
        if pod is not None:
            self.world.end(pod.name, 1)

    @rule(number=NUMBERS, beside_sidecar=st.booleans())
    def a_worker_or_server_finishes(self, number, beside_sidecar):
        pod = self.a_running(number)
        if pod is not None and pod.member.role is not Role.EVALUATOR:
            self.world.finish(pod.name, phase="Running" if beside_sidecar else "")

    @rule(beside_sidecar=st.booleans())
    def the_evaluator_finishes(self, beside_sidecar):
        pod = self.a_running(0)
        if pod is not None and pod.member.role is Role.EVALUATOR:
            self.world.finish(pod.name, SCORE, phase="Running" if beside_sidecar else "")

    @rule(number=NUMBERS)
    def an_image_is_not_there(self, number):
        pod = self.some(number, lambda pod: pod.phase == "Pending" and pod.deleted is None)
        if pod is not None:
            self.world.wait_for_image(pod.name)

    @rule(number=NUMBERS)
    def no_node_has_room(self, number):
        pod = self.some(number, lambda pod: pod.phase == "Pending" and not pod.node)
        if pod is not None:
            self.world.change(pod.name, unscheduled="0/2 nodes are available")

    @precondition(lambda self: self.world.now % 7 < 1)  # seldom, for it ends the job
    @rule(number=NUMBERS)
    def a_process_finds_the_job_at_fault(self, number):
        pod = self.a_running(number)
        if pod is not None:
            self.world.end(pod.name, 64)

    @rule(node=st.sampled_from(NODES))
    def a_node_is_lost_or_comes_back(self, node):
        if node in self.world.lost_nodes:
            del self.world.lost_nodes[node]
        else:
            self.world.lost_nodes[node] = int(self.world.now)

    @rule(replicas=st.integers(1, 6))
    def the_job_is_scaled(self, replicas):
        self.world.scale(max(replicas, self.world.min_replicas))

    @rule(suspend=SELDOM)
    def the_job_is_suspended_or_resumed(self, suspend):
        if suspend != self.world.suspend:
            self.world.set_suspend(suspend)

    @rule(refuses=SELDOM)
    def a_quota_is_set_or_lifted(self, refuses):
        self.world.refuses = refuses

    @rule(seconds=st.sampled_from([0.3, 2.0, 12.5, 70.0, 700.0]))
    def time_passes(self, seconds):
        self.world.pass_time(seconds)

    @rule()
    def the_operator_is_started_anew(self):
        self.world.forget()

    @rule(anew=st.booleans())
    def the_operator_acts_but_its_status_is_not_written(self, anew):
        if not self.world.is_gone:
            self.world.reconcile(loses_status=True)
            if anew:
                self.world.forget()
            self.world.reconcile()  # it tries again before anything else happens

    @staticmethod
    def has_result(pod):
        ended = pod.trainer.ended if pod.trainer is not None else None
        return ended is not None and ended.last_words is not None and bool(ended.last_words.result)

    @invariant()
    def plans_come_to_rest(self):
        if not self.world.is_gone:
            self.world.copy().settle()

    @invariant()
    def what_is_over_stays_over(self):
        status = self.world.status
        ends = {c.type: c.status for c in status.conditions if c.type in {"Complete", "Failed"}}
        if self.ended is not None:
            assert (status.state, status.result, ends) == self.ended
        elif status.finished:
            assert sorted(ends.values()) == ["False", "True"]
            self.ended = (status.state, status.result, ends)


Job.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

test_plans_come_to_rest_whatever_happens = pytest.mark.timeout(180)(Job.TestCase)
