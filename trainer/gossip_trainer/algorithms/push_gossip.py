"""Gossiping SGD with push: whoever receives models averages them with its own.

Every `period` steps, after the optimizer's step:

    J ~ Uniform{0 .. p-1}                          (the worker itself included)
    if J != i:  send x_i to J
    x_i <- (R + w x_i) / (cnt + w)                 (w = 2 if J = i, else 1)

R is the sum of the cnt models received since the last time. A worker that draws itself counts
twice, as if it had received its own model. What is sent is x_i before that averaging, perhaps
rounded by chance. The mean of all x_i is kept in expectation only.

Reference: Jin, Yuan, Iandola, Keutzer, "How to scale distributed deep learning?", 2016
(arXiv:1611.04581), and its authors' code.
"""

from torch import Tensor

from gossip_trainer.algorithms.base import NOTHING, RandomStream
from gossip_trainer.algorithms.effects import Effects, Message, Party, Rank, Send, Skip, Wait
from gossip_trainer.algorithms.gossip import Gossip
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import View
from gossip_trainer.compression.codec import PLAIN, Codec


class PushGossip(Gossip):
    """Sends its model to one random peer at a time.

    Args:
        rank: the own rank.
        view: the live workers.
        selection: chooses the peer.
        stream: the worker's own random stream.
        period: steps between two exchanges.
        overlap: train on while the message is under way.
        codec: how models are written.

    """

    def __init__(
        self,
        rank: Rank,
        view: View,
        selection: PeerSelection,
        stream: RandomStream,
        *,
        period: int = 1,
        overlap: bool = True,
        codec: Codec = PLAIN,
    ) -> None:
        super().__init__(rank, view, selection, stream, period=period, overlap=overlap, codec=codec)
        self._received: Tensor | None = None  # the sum of the models, kept for the next time
        self._count = 0

    def on_step(self, x: Iterate) -> Effects:
        """Every `period` steps send x to a peer, then average it with what has come."""
        if (round_ := self._next_round()) is None:
            return NOTHING
        peer = self._peer(round_)
        effects = self._send(peer, x)
        self._average_(x, own_weight=2 if peer == self.rank else 1)
        return effects

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Add to the sum of what has come."""
        del sender
        self._add(self._codec.decode(message.vector, x.live.dtype))
        return NOTHING

    def _add(self, model: Tensor) -> None:
        if self._received is None:
            self._received = model.clone()
        elif self._count == 0:
            self._received.copy_(model)
        else:
            self._received.add_(model)
        self._count += 1

    def _send(self, peer: Rank | None, x: Iterate) -> Effects:
        if peer is None or peer == self.rank:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        send = Send(peer, self._codec.encode(x.copy()))
        return (send,) if self._overlap else (send, Wait(send))

    def _average_(self, x: Iterate, own_weight: int) -> None:
        if self._count == 0:
            return
        assert self._received is not None
        mean = self._received.div_(self._count)
        x.lerp_(mean, self._count / (self._count + own_weight))
        self._count = 0
