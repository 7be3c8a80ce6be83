"""Plays one server's part again."""

from torch import Tensor

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.effects import Answer, Shard
from gossip_trainer.replay.script import Part, view_of
from gossip_trainer.replay.store import Store
from gossip_trainer.replay.worker import Findings, Playing
from gossip_trainer.replica.layout import Layout
from gossip_trainer.training.links import Letter
from gossip_trainer.training.served_shard import ServedShard
from gossip_trainer.training.trace import digest_of


class ScriptedLetters:
    """Brings one message at a time and keeps the answers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.next: Letter | None = None

    def collect(self) -> Letter | None:
        """Return the next one."""
        letter, self.next = self.next, None
        return letter

    def release(self, letter: Letter) -> None:
        """Nothing is to be given back."""

    def answer(self, answer: Answer) -> None:
        """Keep it for its asker."""
        self._store.answer_all([answer])

    def close(self) -> None:
        """Nobody closes it."""


class ServerPlayer:
    """One server; the learning rate is what the next publication tells."""

    def __init__(
        self,
        spec: JobSpec,
        part: Part,
        *,
        layout: Layout,
        initial: Tensor,
        store: Store,
        findings: Findings,
    ) -> None:
        self._part, self._store, self._findings = part, store, findings
        self._letters = ScriptedLetters(store)
        self._learning_rate = 0.0
        self._served = ServedShard(
            spec,
            Shard(part.member.index),
            layout=layout,
            initial=initial,
            learning_rate=lambda: self._learning_rate,
            letters=self._letters,
            view=part.view,
        )

    def play(self) -> Playing:
        """Play the part from start to end; a run that was cut off ends with a message."""
        calls = iter(self._part.calls)
        version = self._part.view.version
        for call in calls:
            if call.call == "view":
                version += 1
                self._served.look_around(view_of(call, version))
                continue
            while (message := self._store.message(call.peer, call.number)) is None:
                yield
            published = next(calls, None)
            if published is None:
                return
            self._learning_rate = published.learning_rate
            self._letters.next = Letter(call.peer, message)
            self._served.take_in()
            digest = digest_of(self._served.iterate.copy())
            self._findings.compare(self._part.member.name, published, digest)
