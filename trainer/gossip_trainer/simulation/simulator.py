"""Drives one job in virtual time from its start to its result."""

import time
from collections.abc import Callable

import torch

from gossip_api.job import GossipTrainingJob
from gossip_api.names import Role
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.errors import RunError
from gossip_trainer.evaluation.mean import RunningMean
from gossip_trainer.membership.peers import Peers
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.seeding import derive_seed
from gossip_trainer.simulation.checkpoints import Saved
from gossip_trainer.simulation.clock import Bell
from gossip_trainer.simulation.collective import VirtualCollective
from gossip_trainer.simulation.compute import step_seconds
from gossip_trainer.simulation.conclusion import conclude
from gossip_trainer.simulation.evaluator import VirtualEvaluator
from gossip_trainer.simulation.exchange import VirtualExchange
from gossip_trainer.simulation.faults import check_ranks, schedule_faults, schedule_restarts
from gossip_trainer.simulation.laps import TimedAlgorithm
from gossip_trainer.simulation.letters import VirtualLetters
from gossip_trainer.simulation.replica import Snapshot, VirtualPublisher
from gossip_trainer.simulation.result import Result
from gossip_trainer.simulation.standing import VirtualProgress
from gossip_trainer.simulation.worker import VirtualWorker
from gossip_trainer.simulation.world import Parts, build_world
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.observer import Observer
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.rank import algorithm_of, batches_of

WATCH_SECONDS = 0.2

Watch = Callable[[float], None]


def simulate(job: GossipTrainingJob, watch: Watch = lambda _done: None) -> Result:
    """Simulate a job; the same job gives the same result to the bit.

    Uses one thread of torch, and leaves torch's global random stream as it was. `watch` is called
    now and then with how much of the budget is used, in [0, 1].

    Raises:
        RunError: the job says nothing about its simulation, or something that cannot happen.

    """
    check(job)
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(job.spec.training.seed, "simulation"))
        training = job.spec.training
        return Simulator(job, load_dataset(training.data, training.seed)).run(watch)


def check(job: GossipTrainingJob) -> None:
    """See that the job can be simulated; RunError says what is missing or impossible."""
    simulation = job.spec.simulation
    if simulation is None:
        raise RunError(
            "spec.simulation is missing: say at least how long a worker computes for one step, for "
            "example with --set simulation.computeSeconds.mean=0.05"
        )
    changes_groups = any(fault.restart is None for fault in simulation.faults)
    if changes_groups and job.spec.strategy.uses_collective:
        raise RunError(
            "spec.simulation.faults: groups that lose or gain members are not simulated; take "
            "crash, leave and join out or choose another strategy"
        )
    stragglers = tuple(straggler.worker for straggler in simulation.stragglers)
    check_ranks(simulation.faults, stragglers, job.spec.workers.replicas)


class Simulator:
    """One simulation.

    Attributes:
        workers: every process there was so far, in the order in which they began.
        world: what they share.

    """

    def __init__(self, job: GossipTrainingJob, dataset: Dataset) -> None:
        check(job)
        assert job.spec.simulation is not None
        self._job = job
        self._settings = job.spec.simulation
        self.world = build_world(job, dataset)
        self.workers: list[VirtualWorker] = []
        self._members: dict[str, VirtualWorker] = {}
        self._servers = {server.endpoint.name: server for server in self.world.servers}
        self._away: list[int] = []  # the ranks of workers that were lost and come back
        self._evaluator = VirtualEvaluator(self.world, job.spec)
        self._watched = 0.0
        for rank in range(job.spec.workers.replicas):
            self._add(rank, joining=False)

    def run(self, watch: Watch = lambda _done: None) -> Result:
        """Let the job happen from start to end."""
        began = time.perf_counter()
        clock = self.world.clock
        schedule_faults(
            clock,
            self._settings.faults,
            crash=lambda rank: self._of(rank).crash(),
            leave=lambda rank: self._of(rank).leave(),
            join=lambda rank: self._add(rank, joining=True),
        )
        schedule_restarts(
            clock,
            self._settings.faults,
            lose=self._lose_everybody,
            bring_back=self._bring_everybody_back,
        )
        self._evaluate_now_and_then()
        clock.run_while(lambda: self._goes_on(watch))
        self._evaluate(final=True)
        seconds = time.perf_counter() - began
        return conclude(self._job, self.world, self.workers, self._evaluator, seconds)

    def newest(self, member: str) -> Snapshot | None:
        """Return a member's newest snapshot; None if it is gone."""
        return self._members[member].parts.publisher.newest

    def letters(self, member: str) -> VirtualLetters | None:
        """Return a member's letter box; None if it is gone."""
        if member in self._servers:
            return self._servers[member].letters
        worker = self._members.get(member)
        return None if worker is None or worker.gone else worker.parts.letters

    def _add(self, rank: int, *, joining: bool) -> None:
        self._seat(self._parts(rank, self._incarnation(rank))).start(joining=joining)

    def _incarnation(self, rank: int) -> int:
        """Return that of a rank's next process."""
        return sum(worker.parts.endpoint.rank == rank for worker in self.workers)

    def _seat(self, parts: Parts) -> VirtualWorker:
        worker = VirtualWorker(self.world, parts)
        self.workers.append(worker)
        self._members[parts.endpoint.name] = worker
        return worker

    def _lose_everybody(self) -> None:
        """End all processes at once, so that nobody gets to know of another's end."""
        world = self.world
        self._away = [w.parts.endpoint.rank for w in self.workers if w.stays]
        world.standing.lose_everybody()
        for worker in self.workers:
            if not worker.gone:
                worker.crash()
        for server in world.servers:
            server.crash()
            world.network.drop(server.endpoint.name)
        if world.hall is not None:
            world.hall.clear()

    def _bring_everybody_back(self) -> None:
        """Let all go on from what they saved last; who saved nothing copies a peer's model."""
        world, checkpoints = self.world, self.world.checkpoints
        assert checkpoints is not None, "a restart needs spec.checkpoint"
        away, self._away = self._away, []
        checkpoints.restore_job()
        saved = {rank: each for rank, each in checkpoints.workers().items() if rank in away}
        mean = RunningMean(world.shared.layout.size)
        for rank, each in saved.items():
            parts = self._parts(rank, self._incarnation(rank), each)
            self._seat(parts).start(saved=each)
            assert parts.publisher.newest is not None
            mean.add(parts.publisher.newest.vector)
        for server in world.servers:
            server.go_on_from(checkpoints.part(server.endpoint.rank), mean)
            world.standing.enter(server.endpoint)
        self._servers = {server.endpoint.name: server for server in world.servers}
        for rank in away:
            if rank not in saved:
                self._add(rank, joining=True)

    def _parts(self, rank: int, incarnation: int, saved: Saved | None = None) -> Parts:
        world, spec = self.world, self._job.spec
        training, layout = spec.training, world.shared.layout
        position, drawn = None, (incarnation, 0)
        if saved is not None:
            position, drawn = saved.position, (saved.incarnation, saved.drawn)
        endpoint = Endpoint(Role.WORKER, rank, incarnation, host="", port=0)
        replica, bell = world.shared.replica(), Bell(world.clock)
        world.standing.watchers.append(bell.ring)
        peers = Peers(rank, incarnation, lambda: world.standing.roster)
        algorithm = algorithm_of(spec, rank, incarnation, view=peers.view, layout=layout)
        return Parts(
            endpoint=endpoint,
            replica=replica,
            optimizer=build_optimizer(
                training.optimizer, [replica.model.parameter], num_weights=layout.num_weights
            ),
            algorithm=TimedAlgorithm(algorithm, world.laps.mixing),
            peers=peers,
            bell=bell,
            publisher=VirtualPublisher(world.snapshots, world.laps.publishing),
            averages=VirtualPublisher(world.snapshots, world.laps.publishing),
            exchange=VirtualExchange(
                endpoint.name,
                world.clock,
                world.network,
                snapshots=world.snapshots,
                directory=self,
                on_news=bell.ring,
            ),
            letters=VirtualLetters(bell.ring),
            progress=VirtualProgress(world.standing),
            collective=None if world.hall is None else VirtualCollective(world.hall, bell.ring),
            observer=Observer(),
            batches=batches_of(spec, rank, world.dataset, position, num_processes=0),
            compute_gradient=GradientComputation(replica.model, world.dataset.loss, training),
            step_seconds=step_seconds(self._settings, training.seed, rank, *drawn),
        )

    def _of(self, rank: int) -> VirtualWorker:
        """Return the newest process of a rank."""
        return next(w for w in reversed(self.workers) if w.parts.endpoint.rank == rank)

    def _evaluate(self, *, final: bool = False) -> None:
        models = [worker.parts.publisher.newest for worker in self.workers]
        averages = [worker.parts.averages.newest for worker in self.workers]
        boundaries = [worker.boundary for worker in self.workers if worker.boundary is not None]
        self._evaluator.evaluate(
            [
                (model, average or model)
                for model, average in zip(models, averages, strict=True)
                if model is not None
            ],
            fraction=self._fraction(),
            received_bytes=sum(boundary.counters.received_bytes for boundary in boundaries),
            final=final,
        )

    def _evaluate_now_and_then(self) -> None:
        if not self._away:
            self._evaluate()
        every = self._job.spec.evaluation.every.total_seconds()
        self.world.clock.after(every, self._evaluate_now_and_then)

    def _goes_on(self, watch: Watch) -> bool:
        now = time.perf_counter()
        if now - self._watched >= WATCH_SECONDS:
            self._watched = now
            watch(self._fraction())
        return bool(self._away) or not all(worker.done for worker in self.workers)

    def _fraction(self) -> float:
        budget, total = self.world.meter.budget, self.world.meter.total_samples
        done = self.world.standing.counts(self.world.clock.now)
        used = done.seconds if budget.seconds else done.samples
        return min(1.0, used / (budget.seconds or total or 1))
