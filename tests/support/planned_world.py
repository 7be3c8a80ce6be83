"""A small world without processes in which the operator's plans are carried out and watched.

It holds what the API server would: one job with its status (kept as JSON), its pods and nodes. The
pods change when a test says so. Everything that a plan must never do is checked as it is done.
"""

import copy
import json
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache

from manifest_jobs import UID, job

from gossip_api.names import Member, Role, pod_name
from gossip_api.objects import status_from_object, status_to_object
from gossip_api.process import LastWords, ProcessStatus, Score, Stop
from gossip_operator.core.observed import (
    ContainerView,
    Ended,
    JobView,
    Observed,
    PodView,
    Refusal,
    Report,
)
from gossip_operator.core.plan import plan
from gossip_operator.manifests.metadata import digest

START = 1_700_000_000.25
TERMINAL = ("Succeeded", "Failed")
BUDGET = Stop(reason="budget", by="worker-0-0")
DIVERGED = Stop(reason="diverged", by="worker-0-0")
SCORE = Score(loss=0.25, accuracy=0.9, consensus_distance=0.01, job_samples=1000, epoch=1.0)


@lru_cache
def job_of(replicas, min_replicas, strategy, suspend, policy, checkpoint):
    return job(
        workers={"replicas": replicas, "minReplicas": min_replicas},
        strategy={"type": strategy},
        suspend=suspend,
        runPolicy=json.loads(policy),
        checkpoint=json.loads(checkpoint),
    )


def worker(index, incarnation=0):
    return Member(Role.WORKER, index, incarnation)


def server(incarnation=0):
    return Member(Role.SERVER, 0, incarnation)


def evaluator(incarnation=0):
    return Member(Role.EVALUATOR, 0, incarnation)


@dataclass
class World:
    """What there is of one job; `now` is in seconds since the epoch."""

    replicas: int = 3
    min_replicas: int = 2
    strategy: str = "Gossip"
    suspend: bool = False
    policy: dict = field(default_factory=dict)
    checkpoint: dict | None = None
    now: float = START
    generation: int = 1
    status_document: dict = field(default_factory=dict)
    pods: dict[str, PodView] = field(default_factory=dict)
    lost_nodes: dict[str, float] = field(default_factory=dict)
    applied: dict = field(default_factory=dict)
    has_credentials: bool = False
    reports: dict[str, Report] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    refuses: bool = False
    is_gone: bool = False
    names: set[str] = field(default_factory=set)
    notices: list = field(default_factory=list)
    writes: int = 0

    # What the operator sees and does

    @property
    def status(self):
        return status_from_object(self.status_document)

    def copy(self):
        """What is done in the copy is not done here; records are shared, for none ever changes."""
        same = {each.name: getattr(self, each.name) for each in fields(self)}
        own = {name: copy.copy(value) for name, value in same.items()}
        return replace(self, **own)

    def spec(self):
        policy, checkpoint = json.dumps(self.policy), json.dumps(self.checkpoint)
        return job_of(
            self.replicas, self.min_replicas, self.strategy, self.suspend, policy, checkpoint
        )

    def observe(self, **changes) -> Observed:
        view = JobView("team", "mnist", UID, self.generation, self.spec(), self.status, START)
        seen = Observed(
            now=self.now,
            job=view,
            pods=tuple(sorted(self.pods.values(), key=lambda pod: pod.member)),
            lost_nodes=dict(self.lost_nodes),
            applied=dict(self.applied),
            has_credentials=self.has_credentials,
            reports=dict(self.reports),
            refusals=self.refusals,
        )
        return replace(seen, **changes)

    def reconcile(self, *, loses_status=False):
        """Plan once and carry it out, as the shell does; return the plan.

        With `loses_status` the operator ends, or is refused, before the status is written.
        """
        made = plan(self.observe())
        for deletion in made.delete:
            self._delete(deletion)
        for manifest in made.apply:
            key = (manifest["kind"], manifest["metadata"]["name"])
            self.applied[key] = digest(manifest)
        self.has_credentials = self.has_credentials or made.issue_credentials
        if made.create and self.refuses:
            message = "exceeded quota: pods"
            self.refusals = (Refusal("Pods", "QuotaExceeded", message, self.now + 30),)
            return made
        for creation in made.create:
            self._create(creation)
            self.notices += [creation.notice] if creation.notice is not None else []
        if made.create:
            self.refusals = ()
        if any(creation.member.role is Role.WORKER for creation in made.create):
            assert len(self.living_workers()) <= self.replicas
        if loses_status:
            return made
        if made.status is not None:
            self._write(made.status)
        self.notices += made.notices
        self.is_gone = self.is_gone or made.delete_job
        self.writes += not made.is_empty
        return made

    def settle(self, rounds=8) -> int:
        """Reconcile until nothing is left to do; return how often that took."""
        for number in range(rounds):
            made = self.reconcile()
            if made.is_empty or self.is_gone:
                self._check_quiet(made)
                return number
        raise AssertionError(f"still busy after {rounds} rounds: {made}")

    def _check_quiet(self, made):
        """Nothing is created or deleted before the time at which the plan looks again."""
        later = self.now + (0.9 * made.look_again if made.look_again is not None else 1e6)
        if not self.is_gone:
            next_plan = plan(self.observe(now=later))
            todo = (next_plan.delete, next_plan.apply, next_plan.create)
            assert todo == ((), (), ()), f"{made.look_again} is too late for {todo}"

    def _create(self, creation):
        name = creation.manifest["metadata"]["name"]
        assert name not in self.names, f"{name} is used twice"
        assert not self.suspend, f"{name} is created though the job is suspended"
        assert not self.status.finished, f"{name} is created though the job is over"
        rivals = [pod for pod in self.of_place(creation.member) if self.is_healthy(pod)]
        assert not rivals, f"{name} is created beside {rivals[0].name}"
        self.names.add(name)
        self.pods[name] = PodView(name, f"uid-{name}", creation.member, "Pending", int(self.now))

    def _delete(self, deletion):
        pod = self.pods[deletion.name]
        assert pod.uid == deletion.uid
        assert pod.deleted is None, f"{pod.name} is deleted twice"
        over = bool(self.status.finished)
        words = pod.trainer.ended.last_words if pod.trainer and pod.trainer.ended else None
        if words is not None and words.result is not None and not self.suspend:
            assert over, "the result is deleted before it is recorded"
        scaled = pod.member.role is Role.WORKER and len(self.living_workers()) > self.replicas
        if self.is_healthy(pod):
            assert over or self.suspend or scaled, f"{pod.name} is healthy, but deleted"
        self.delete(pod.name)

    def _write(self, status):
        self.status_document = json.loads(json.dumps(status_to_object(status)))
        assert self.status == status, "the status is not read as it was written"
        if any(c.type == "Complete" and c.status == "True" for c in status.conditions):
            assert status.result is not None
            assert status.finished

    # What there is

    def of_place(self, member):
        key = (member.role, member.index)
        return [pod for pod in self.pods.values() if (pod.member.role, pod.member.index) == key]

    def is_healthy(self, pod) -> bool:
        """Whether the pod runs, or is on its way, and nobody has come in its place."""
        trainer = pod.trainer
        down = trainer is not None and (
            trainer.state == "terminated" or trainer.reason == "CrashLoopBackOff"
        )
        return (
            pod.deleted is None
            and pod.phase not in TERMINAL
            and not pod.disruption
            and pod.node not in self.lost_nodes
            and not down
            and pod is max(self.of_place(pod.member), key=lambda one: one.member.incarnation)
        )

    def living_workers(self):
        return [
            pod
            for pod in self.pods.values()
            if pod.member.role is Role.WORKER and self.is_healthy(pod)
        ]

    def find(self, member) -> PodView:
        return self.pods[pod_name("mnist", member.role, member.index, member.incarnation)]

    def condition(self, kind):
        return next(each for each in self.status.conditions if each.type == kind)

    def is_recorded(self, pod) -> bool:
        """Whether the status tells that the pod's name was used."""
        member, launched = pod.member, self.status.launched
        entries = {(each.role, each.index): each.incarnation for each in self.status.ledger}
        known = entries.get((member.role, member.index))
        if known is None:
            number = getattr(launched, f"{member.role}s") if launched is not None else 0
            return member.incarnation == 0 and member.index < number
        return known >= member.incarnation

    # What happens

    def change(self, name, **fields):
        self.pods[name] = replace(self.pods[name], **fields)

    def pass_time(self, seconds):
        self.now += seconds

    def start(self, name, node="node-0"):
        """Schedule the pod and start its process."""
        running = ContainerView("running", started=self.now)
        self.change(name, phase="Running", node=node, ready=True, unscheduled="", trainer=running)

    def start_all(self):
        for pod in list(self.pods.values()):
            if pod.phase == "Pending" and pod.deleted is None:
                self.start(pod.name, node=f"node-{pod.member.index % 2}")

    def train(self, step=10, phase="Training", **fields):
        """Have all running workers say how they stand."""
        for pod in self.pods.values():
            if pod.trainer is not None and pod.trainer.state == "running":
                self.report(pod.name, step=step, phase=phase, **fields)

    def report(self, name, **fields):
        member = self.pods[name].member
        who = {"role": member.role, "rank": member.index, "incarnation": member.incarnation}
        self.reports[name] = Report(ProcessStatus(**who, **fields), self.now)

    def delete(self, name):
        """Delete as the API server does: at once what does not run, else after its grace period."""
        pod = self.pods[name]
        if not pod.node or pod.phase in TERMINAL:
            del self.pods[name]
        elif pod.deleted is None:
            self.change(name, deleted=self.now)

    def end(self, name, exit_code, reason="", *, phase="", words=None):
        """End the pod's process for good."""
        pod = self.pods[name]
        restarts = pod.trainer.restarts if pod.trainer is not None else 0
        reason = reason or ("Completed" if exit_code == 0 else "Error")
        ended = Ended(exit_code, reason, int(self.now), words)
        self.change(
            name,
            phase=phase or ("Succeeded" if exit_code == 0 else "Failed"),
            ready=False,
            trainer=ContainerView("terminated", restarts=restarts, ended=ended),
        )

    def finish(self, name, result=None, phase="", *, stop=BUDGET, model=None):
        """The process has done its work."""
        words = LastWords(
            step=100, finished=True, released=True, stop=stop, result=result, model=model
        )
        self.end(name, 0, words=words, phase=phase)

    def leave(self, name):
        """The process goes because it was told to."""
        self.end(name, 0, words=LastWords(step=10))

    def restart(self, name, exit_code=137, reason="OOMKilled"):
        """The process dies, and the kubelet starts it again in place."""
        pod = self.pods[name]
        ended = Ended(exit_code, reason, int(self.now))
        restarts = (pod.trainer.restarts if pod.trainer is not None else 0) + 1
        again = ContainerView("running", restarts=restarts, started=self.now, ended=ended)
        self.change(name, trainer=again)

    def crash_loop(self, name, restarts=3, exit_code=1):
        """The process has died again and again, and the kubelet waits before the next try."""
        ended = Ended(exit_code, "Error", int(self.now), LastWords(reason="no such file"))
        waiting = ContainerView(
            "waiting", "CrashLoopBackOff", "back-off 40s", restarts=restarts, ended=ended
        )
        self.change(name, ready=False, trainer=waiting)

    def wait_for_image(self, name):
        waiting = ContainerView("waiting", "ImagePullBackOff", "no such image a:1")
        self.change(name, node="node-0", trainer=waiting)

    def evict(self, name):
        self.change(
            name,
            phase="Failed",
            ready=False,
            reason="Evicted",
            message="The node was low on memory.",
            disruption="TerminationByKubelet",
        )

    def scale(self, replicas):
        self.replicas = replicas
        self.generation += 1

    def set_suspend(self, suspend):
        self.suspend = suspend
        self.generation += 1

    def forget(self):
        """The operator was started anew: it knows what the API server knows."""
        self.reports, self.refusals = {}, ()


def running(**fields) -> World:
    """A job whose pods all run and train."""
    world = World(**fields)
    world.settle()
    world.pass_time(5)
    world.start_all()
    world.train()
    world.settle()
    world.pass_time(60)
    world.train(step=20)
    world.settle()
    world.notices.clear()
    return world
