"""Asynchronous SGD with a parameter server, whose optimizer takes every gradient as it comes.

    worker i                                    server, for one worker after the other
    g = gradient at x_i
    send g                            ->        c <- one optimizer step on c with g
    x_i <- c                          <-        answer c

Workers have no optimizer of their own. A gradient is used with the whole learning rate, however
many workers there are, and on a c that the others have moved since x_i was read: it is stale by as
many updates, p - 1 where all are equally fast. Float buffers behind the parameters travel in the
gradient's place and are averaged, c <- (1 - s) c + s x_i with s = 1/p.

Where the server's momentum is Nesterov's, workers compute at its look-ahead point, as torch keeps
it, and what is evaluated is c without it.

Without `overlap` a worker waits for c after every gradient. With it, it computes the next gradient
meanwhile, at the x_i it has, and waits before it sends that one; the gradient then lacks the
worker's own last update too. With a staleness bound s (see `staleness_bound`) and p workers no
gradient is stale by more than (p - 1) (2s + 1) updates, with overlap (p - 1) (2s + 2) + 1: between
reading c at clock k and using its gradient the worker sees every other go from no less than k - s
to no more than k + s + 1.

References: Dean et al., "Large scale distributed deep networks", 2012 (its Downpour SGD without
local steps); Ho et al., 2013 (the bound).
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from gossip_trainer.algorithms.base import NOTHING, Algorithm
from gossip_trainer.algorithms.effects import (
    Answer,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Rank,
    Request,
    Send,
    Shard,
    Wait,
)
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.staleness_bound import StalenessBound
from gossip_trainer.algorithms.view import View


class ParameterServer(Algorithm):
    """A worker: sends its gradient to the servers and takes their parameters.

    A message holds, at every position of the server's part, the gradient or a buffer's value, and
    as its scalar the version of that part the gradient was computed at, which is 0 before the
    server's first answer. A message that does not ask is a farewell.

    Args:
        rank: the own rank.
        view: the live workers.
        shards: every server's part of x; servers of an empty part are never spoken to.
        num_parameters: how much of x is parameters; float buffers are behind them.
        overlap: compute the next gradient while one is under way.

    """

    steps_locally = False
    exchanges_on_gradient = True

    def __init__(
        self,
        rank: Rank,
        view: View,
        shards: Mapping[Shard, slice],
        num_parameters: int,
        *,
        overlap: bool = False,
    ) -> None:
        super().__init__(rank, view)
        self._shards = {shard: part for shard, part in shards.items() if part.start < part.stop}
        self._num_parameters = num_parameters
        self._overlap = overlap
        self._versions = dict.fromkeys(self._shards, 0)
        self._under_way: list[Send] = []
        self._next: Sequence[Send] = ()  # what goes once nothing is under way

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Send the gradient, after the answer to the one before has come."""
        outgoing = torch.cat([gradient, x.live[self._num_parameters :]])
        sends = tuple(
            Send(shard, outgoing[part], (float(self._versions[shard]),), asks=True, patient=True)
            for shard, part in self._shards.items()
        )
        waits = [Wait(send) for send in (*self._under_way, *(() if self._overlap else sends))]
        return [*self._begin(sends), *waits]

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Compute at the server's parameters from now on."""
        assert isinstance(effect, Send)
        assert isinstance(effect.to, Shard)
        if message is not None:
            x.assign_(message.vector, start=self._shards[effect.to].start)
            self._versions[effect.to] = message.step
        return self._ended(effect)

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Go on with the x there is."""
        del reason, x
        assert isinstance(effect, Send)
        return self._ended(effect)

    def on_finish(self, x: Iterate) -> Effects:
        """Tell the servers not to count this worker any more."""
        nothing = x.live.new_empty(0)
        farewells = tuple(Send(shard, nothing, patient=True) for shard in self._shards)
        return self._begin(farewells)

    def _begin(self, sends: Sequence[Send]) -> Sequence[Send]:
        """Send now, or once nothing is under way."""
        if self._under_way:
            self._next = sends
            return ()
        self._next = ()
        self._under_way = list(sends)
        return sends

    def _ended(self, send: Send) -> Effects:
        self._under_way.remove(send)
        return self._begin(self._next)


class ParameterServerShard:
    """A server: steps its part of the model with every gradient that comes.

    Args:
        centre: its part of the live vector, shape (n,), parameters first; buffers are changed in
            place here, parameters by `update`.
        num_parameters: how much of it is parameters.
        update: takes one optimizer step on them with a gradient of shape (num_parameters,), which
            is valid during the call only.
        iterate: gives x of `centre` as `update` left it.
        share: the weight of a worker's buffers in their average.
        max_staleness: how many steps a worker may be ahead of the slowest; None for no bound.
        view: the live workers.

    Attributes:
        version: how many gradients it has used.
        staleness: how many updates the newest of them was computed without.

    """

    def __init__(
        self,
        centre: Tensor,
        num_parameters: int,
        update: Callable[[Tensor], None],
        *,
        iterate: Callable[[], Iterate],
        share: float,
        max_staleness: int | None,
        view: View,
    ) -> None:
        self._live = centre
        self._num_parameters = num_parameters
        self._update = update
        self._iterate = iterate
        self._share = share
        self._bound = StalenessBound(max_staleness, view)
        self._unanswered: dict[Request, Rank] = {}
        self.version = 0
        self.staleness = 0

    @property
    def centre(self) -> Iterate:
        """Its part of the model, without the look-ahead."""
        return self._iterate()

    def on_message(self, sender: Rank, message: Message) -> Effects:
        """Use a gradient, or take a farewell; answer all that may go on."""
        if message.request is None:
            self._bound.say_farewell(sender)
            return self._release()
        self._use(message)
        self._bound.advance(sender)
        self._unanswered[message.request] = sender
        return self._release()

    def on_view(self, view: View) -> Effects:
        """Answer those that waited for a worker that has gone."""
        self._bound.look_around(view)
        return self._release()

    def _use(self, message: Message) -> None:
        n = self._num_parameters
        if n > 0:
            self._update(message.vector[:n])
        self._live[n:].lerp_(message.vector[n:], self._share)
        (computed_at,) = message.scalars
        self.staleness = self.version - int(computed_at)
        self.version += 1

    def _release(self) -> Effects:
        released = [
            request for request, rank in self._unanswered.items() if self._bound.allows(rank)
        ]
        if not released:
            return NOTHING
        answer = self._live.clone()  # one for all: nobody changes it any more
        for request in released:
            del self._unanswered[request]
        return [Answer(request, answer, step=self.version) for request in released]
