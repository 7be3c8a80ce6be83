"""Plays one worker's part again."""

from collections.abc import Generator
from dataclasses import dataclass, field

from gossip_api.job import GossipTrainingJob
from gossip_api.names import parse_member_name
from gossip_trainer.algorithms.effects import (
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Request,
    Send,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.data.dataset import Dataset
from gossip_trainer.errors import RunError
from gossip_trainer.observability.events import Called
from gossip_trainer.replay.script import SEED, Part, SnapshotKey, view_of
from gossip_trainer.replay.store import Store
from gossip_trainer.replica.flat import FlatModel, iterate_of
from gossip_trainer.replica.initial import initial_model
from gossip_trainer.training.effects_under_way import party_of
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.rank import algorithm_of, batches_of
from gossip_trainer.training.stepper import clip_or_clear_
from gossip_trainer.training.trace import digest_of, party_name

Playing = Generator[None, None, None]
"""Yields where what comes next is not there yet."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something published that is not what it was in the run."""

    member: str
    step: int


@dataclass(slots=True)
class Findings:
    """What a replay found so far."""

    published: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    def compare(self, member: str, call: Called, digest: str) -> None:
        """Compare a publication with the run's."""
        self.published += 1
        if digest != call.digest:
            self.mismatches.append(Mismatch(member, call.step))


class WorkerPlayer:
    """One worker, without a boundary: the script says what comes when."""

    def __init__(
        self,
        job: GossipTrainingJob,
        dataset: Dataset,
        part: Part,
        *,
        store: Store,
        findings: Findings,
    ) -> None:
        spec, training = job.spec, job.spec.training
        self._part, self._store, self._findings = part, store, findings
        self._dataset = dataset
        self._name = part.member.name
        module = initial_model(
            training, input_shape=dataset.input_shape, num_classes=dataset.num_classes
        )
        module.train()
        self._model = FlatModel(module)
        self._gradient_of = GradientComputation(self._model, dataset.loss, training)
        self._optimizer = build_optimizer(
            training.optimizer,
            [self._model.parameter],
            num_weights=self._model.layout.num_weights,
        )
        member = part.member
        self._algorithm = algorithm_of(
            spec, member.index, member.incarnation, view=part.view, layout=self._model.layout
        )
        self._batches = batches_of(spec, member.index, dataset, num_processes=0)
        self._step = part.step
        self._has_gradient = self._is_skipped = False
        self._max_norm = training.gradient_clipping
        self._num_sends = 0
        self._sends: dict[int, Send] = {}
        self._fetch: Fetch | None = None
        self._hears: list[Hear] = []

    def play(self) -> Playing:
        """Play the part from start to end."""
        if self._part.model_from == SEED:
            self._store.publish(SnapshotKey(self._name, 0), self._model.vector.clone())
        else:
            yield from self._copy()
        for call in self._part.calls:
            x = iterate_of(self._model, self._optimizer)
            match call.call:
                case "answer":
                    yield from self._answered(call, x)
                case "message":
                    yield from self._told(call, x)
                case "before_step":
                    self._algorithm.before_step(x)
                    self._compute_gradient()
                case "published":
                    self._publish(call)
                case _:
                    self._note(self._tell(call, x))

    def _tell(self, call: Called, x: Iterate) -> Effects:
        """Tell the algorithm what needs nothing of the others."""
        algorithm = self._algorithm
        algorithm.idle = call.idle
        match call.call:
            case "gradient":
                return algorithm.on_gradient(x, self._model.gradient)
            case "step":
                return algorithm.on_step(x)
            case "finish":
                return algorithm.on_finish(x)
            case "view":
                return algorithm.on_view(view_of(call, algorithm.view.version + 1))
            case "lost":
                return algorithm.on_lost(self._lost(call), Loss(call.reason), x)
        raise RunError(f"{self._name}: the log has an unknown call {call.call!r}")

    def _copy(self) -> Playing:
        part = self._part
        while (vector := self._store.snapshot(SnapshotKey(part.model_from, part.step))) is None:
            yield
        self._model.load_(vector)

    def _compute_gradient(self) -> None:
        loss = self._gradient_of(next(self._batches)).item()
        fault = clip_or_clear_(self._model.gradient, loss, self._max_norm)
        self._is_skipped = bool(fault)
        self._has_gradient = True

    def _publish(self, call: Called) -> None:
        if self._has_gradient:  # else it is the final model
            self._has_gradient = False
            self._step += 1
            self._optimizer.param_groups[0]["lr"] = call.learning_rate
            if self._algorithm.steps_locally and not self._is_skipped:
                self._optimizer.step()
        published = iterate_of(self._model, self._optimizer).copy()
        self._findings.compare(self._name, call, digest_of(published))
        self._store.publish(SnapshotKey(self._name, self._step, call.finished), published)

    def _answered(self, call: Called, x: Iterate) -> Playing:
        message: Message | None = None
        effect: Fetch | Send
        if call.number:
            effect = self._sends.pop(call.number)
            if effect.asks:
                request = Request(self._name, call.number)
                while (message := self._store.answer(request)) is None:
                    yield
        else:
            key = SnapshotKey(call.peer, call.step, call.finished)
            while (vector := self._store.snapshot(key)) is None:
                yield
            effect = self._fetched(parse_member_name(call.peer).index)
            read = vector if effect.excerpt is None else effect.excerpt.of(vector)
            message = Message(read, call.step, finished=call.finished)
        self._note(self._algorithm.on_answer(effect, message, x))

    def _told(self, call: Called, x: Iterate) -> Playing:
        while (message := self._store.message(call.peer, call.number)) is None:
            yield
        sender, key = party_of(call.peer), message.scalars[:1]
        self._hears = [h for h in self._hears if h.peer != sender or h.key not in key]
        self._note(self._algorithm.on_message(sender, message, x))

    def _lost(self, call: Called) -> Fetch | Send | Hear:
        if call.number:
            return self._sends.pop(call.number)
        for hear in self._hears:
            if party_name(hear.peer) == call.peer:
                self._hears.remove(hear)
                return hear
        return self._fetched(int(call.peer.rpartition("-")[2]))

    def _fetched(self, peer: int) -> Fetch:
        """Return the newest fetch, of which there is one at a time."""
        fetch = self._fetch
        if fetch is None or fetch.peer != peer:
            raise RunError(f"{self._name}: the log tells of worker-{peer}, nobody turned to it")
        return fetch

    def _note(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._num_sends += 1
                self._sends[self._num_sends] = effect
                self._store.send(self._name, self._num_sends, effect, self._step)
            elif isinstance(effect, Fetch):
                self._fetch = effect
            elif isinstance(effect, Wait) and isinstance(effect.effect, Hear):
                self._hears.append(effect.effect)
        self._store.answer_all(effects)
