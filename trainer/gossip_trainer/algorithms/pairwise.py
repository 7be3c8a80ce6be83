"""Asynchronous decentralised SGD: a worker and a peer move to meet, both by the same difference.

Every `period` steps, after the optimizer's step, worker i draws a peer j and sends it x_i. When j
gets to it, at its own step boundary:

    d   <- b (x_i - x_j)                           (b = 1/2: both go to the middle)
    x_j <- x_j + d ;  j answers d
    x_i <- x_i - d                                 (when the answer has come)

x_i on the right is what i sent, and x_j what j has then; i may have moved on when d comes back.
Because both ends apply the same d, the sum of all x_i and of what is on its way never changes, in
whatever order messages come. Only the death of an end can break it, by one d.

A worker that waits for its answer goes on answering others, so no order of active and passive
workers is needed to keep two from waiting for each other. But then exchanges overlap, which those
of AD-PSGD never do: if i and j propose to each other at once, both move twice, and b = 1/2 swaps
their models instead of averaging them. So a worker whose own proposal is under way answers
b/2 (x_i - x_j), half of what it would otherwise: two that cross come to one exchange.

Where both are rounded to travel, j moves by the d that it answers, as it was rounded: what is kept
is kept as exactly as before.

Reference: Lian, Zhang, Zhang, Liu, "Asynchronous decentralized parallel stochastic gradient
descent", 2018 (arXiv:1710.06952).
"""

from gossip_trainer.algorithms.base import NOTHING, RandomStream
from gossip_trainer.algorithms.effects import (
    Answer,
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Rank,
    Send,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.gossip import Gossip
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import View
from gossip_trainer.compression.codec import PLAIN, Codec


class Pairwise(Gossip):
    """Averages with one peer at a time and keeps the mean.

    Args:
        rank: the own rank.
        view: the live workers.
        selection: chooses the peer.
        stream: the worker's own random stream.
        period: steps between two exchanges.
        mixing_weight: b, in (0, 1].
        overlap: train on while the exchange is under way.
        codec: how models and differences are written.

    """

    def __init__(
        self,
        rank: Rank,
        view: View,
        selection: PeerSelection,
        stream: RandomStream,
        *,
        period: int = 1,
        mixing_weight: float = 0.5,
        overlap: bool = True,
        codec: Codec = PLAIN,
    ) -> None:
        super().__init__(rank, view, selection, stream, period=period, overlap=overlap, codec=codec)
        self._mixing_weight = mixing_weight
        self._proposals: set[Fetch | Send | Hear] = set()  # under way

    def on_step(self, x: Iterate) -> Effects:
        """Every `period` steps propose x to a peer."""
        if (round_ := self._next_round()) is None:
            return NOTHING
        peer = self._peer(round_)
        if peer is None or peer == self.rank:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        send = Send(peer, self._codec.encode(x.copy()), asks=True)
        self._proposals.add(send)
        return (send,) if self._overlap else (send, Wait(send))

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Meet who proposes, and answer by how much."""
        del sender
        assert message.request is not None, "a proposal asks"
        weight = self._mixing_weight / 2 if self._proposals else self._mixing_weight
        proposed = self._codec.decode(message.vector, x.live.dtype)
        answer = self._codec.encode(proposed.sub(x.copy()).mul_(weight))
        x.add_(self._codec.decode(answer, x.live.dtype))
        return (Answer(message.request, answer),)

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Move by as much as the peer did, the other way."""
        assert message is not None, "a proposal is answered"
        self._proposals.discard(effect)
        x.add_(self._codec.decode(message.vector, x.live.dtype), alpha=-1.0)
        return NOTHING

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Nobody took the proposal and nobody moved."""
        del reason, x
        self._proposals.discard(effect)
        return NOTHING
