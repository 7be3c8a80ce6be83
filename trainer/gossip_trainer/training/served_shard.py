"""One server's part of the model, and the algorithm that changes it as messages come.

The same for a server process and for the simulator. It keeps no thread and never waits.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gossip_api.job import JobSpec
from gossip_trainer.algorithms.base import ServerAlgorithm
from gossip_trainer.algorithms.effects import Answer, Effects, Shard
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.registry import build_server
from gossip_trainer.algorithms.shards import shard_slices
from gossip_trainer.algorithms.view import View
from gossip_trainer.observability.event_log import EventSink
from gossip_trainer.replica.flat import iterate_over
from gossip_trainer.replica.layout import Layout
from gossip_trainer.training.effects_under_way import party_of
from gossip_trainer.training.links import Letters
from gossip_trainer.training.optimizers import build_optimizer
from gossip_trainer.training.trace import TracedServer


class ServedShard:
    """A part of the job's vector under a server's algorithm.

    Args:
        spec: of the job.
        shard: which part.
        layout: of the whole vector.
        initial: the whole vector at the start, shape (layout.size,); copied.
        learning_rate: the rate at this moment, of a parameter server's steps.
        letters: what workers send.
        view: the live workers.
        events: where the algorithm is traced to, if at all.

    Attributes:
        part: where it lies in the job's vector.
        messages: how many workers' messages it has taken in.
        received_bytes: of vectors in them.
        sent_bytes: of vectors in its answers.

    """

    def __init__(
        self,
        spec: JobSpec,
        shard: Shard,
        *,
        layout: Layout,
        initial: Tensor,
        learning_rate: Callable[[], float],
        letters: Letters,
        view: View,
        events: EventSink | None = None,
    ) -> None:
        self.part = shard_slices(layout.size, spec.num_shards)[shard]
        self._centre = initial[self.part].clone()
        num_parameters = max(0, min(self.part.stop, layout.num_parameters) - self.part.start)
        self._parameter = nn.Parameter(self._centre[:num_parameters])
        self._optimizer = build_optimizer(
            spec.training.optimizer,
            [self._parameter],
            num_weights=min(max(0, layout.num_weights - self.part.start), num_parameters),
        )
        self._learning_rate = learning_rate
        self._letters = letters
        self.messages = self.received_bytes = self.sent_bytes = 0
        algorithm = build_server(
            spec,
            shard,
            self._centre,
            size=layout.size,
            num_parameters=layout.num_parameters,
            update=self._update,
            centre_iterate=self._iterate,
            view=view,
        )
        self._algorithm = algorithm if events is None else self._traced(algorithm, events)

    @property
    def version(self) -> int:
        """How many messages have changed it."""
        return self._algorithm.version

    @property
    def iterate(self) -> Iterate:
        """The part as it is evaluated and copied."""
        return self._algorithm.centre

    def take_in(self) -> bool:
        """Bring the algorithm the next message; False if none has come."""
        letter = self._letters.collect()
        if letter is None:
            return False
        sender = party_of(letter.sender)
        assert not isinstance(sender, Shard), "servers do not write to each other"
        self.messages += 1
        self.received_bytes += letter.message.vector.nbytes
        effects = self._algorithm.on_message(sender, letter.message)
        self._letters.release(letter)
        self._answer(effects)
        return True

    def look_around(self, view: View) -> None:
        """Bring the algorithm a new view."""
        self._answer(self._algorithm.on_view(view))

    def _traced(self, algorithm: ServerAlgorithm, events: EventSink) -> ServerAlgorithm:
        return TracedServer(algorithm, events, self._optimizer)

    def _answer(self, effects: Effects) -> None:
        for effect in effects:
            assert isinstance(effect, Answer), "a server only answers"
            self.sent_bytes += effect.vector.nbytes
            self._letters.answer(effect)

    @torch.no_grad()
    def _update(self, gradient: Tensor) -> None:
        # Copied: the optimizer may add its decay to the gradient, and others may read that again.
        if self._parameter.grad is None:
            self._parameter.grad = torch.empty_like(self._parameter)
        self._parameter.grad.copy_(gradient)
        self._optimizer.param_groups[0]["lr"] = self._learning_rate()
        self._optimizer.step()

    def _iterate(self) -> Iterate:
        return iterate_over(self._centre, self._parameter, self._optimizer)
