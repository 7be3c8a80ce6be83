"""Gossiping SGD with pull, the paper's one-sided exchange.

Every `period` steps, after the optimizer's step:

    J ~ Uniform{0 .. p-1}                        (the worker itself included)
    if J != i:  x_i <- (1 - b) x_i + b x_J       (b = 1/2: the average of the two)

x_J is what J published last: its value after its own step and before its own averaging. J is not
told, so the mean of all x_i is kept in expectation only. Drawing oneself is legal and does
nothing; it makes E[x_J] the mean of all workers exactly.

A worker may read an excerpt of x_J instead: rounded by chance, which adds noise of mean zero, or
one fragment, drawn anew each time, which alone is averaged then.

Reference: Jin, Yuan, Iandola, Keutzer, "How to scale distributed deep learning?", 2016
(arXiv:1611.04581), and its authors' code.
"""

from gossip_trainer.algorithms.base import NOTHING, RandomStream
from gossip_trainer.algorithms.effects import Effects, Fetch, Message, Rank, Send, Skip, Wait
from gossip_trainer.algorithms.gossip import Gossip
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import View
from gossip_trainer.compression.excerpt import Reading


class PullGossip(Gossip):
    """Averages with one random peer at a time; waits for it only if `overlap` is off.

    Args:
        rank: the own rank.
        view: the live workers.
        selection: chooses the peer.
        stream: the worker's own random stream.
        period: steps between two exchanges.
        mixing_weight: b, the weight of the peer's model, in (0, 1].
        overlap: mix at the first step boundary after arrival instead of waiting.
        reading: what is read of a peer's model; all of it if left out.

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
        reading: Reading | None = None,
    ) -> None:
        super().__init__(rank, view, selection, stream, period=period, overlap=overlap)
        self._mixing_weight = mixing_weight
        self._reading = reading or Reading(None, 0)

    def on_step(self, x: Iterate) -> Effects:
        """Fetch from a random peer every `period` steps."""
        if (round_ := self._next_round()) is None:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        peer = self._peer(round_)
        if peer is None or peer == self.rank:
            return NOTHING
        fetch = Fetch(peer, self._reading.excerpt(x.live.numel(), round_))
        return (fetch,) if self._overlap else (fetch, Wait(fetch))

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Average with the peer's model, or with what was read of it."""
        assert isinstance(effect, Fetch)
        assert message is not None, "a fetch brings a snapshot"
        excerpt = effect.excerpt
        if excerpt is None:
            x.lerp_(message.vector, self._mixing_weight)
        else:
            read = excerpt.values(message.vector, x.live.dtype)
            x.lerp_(read, self._mixing_weight, start=excerpt.start)
        return NOTHING
