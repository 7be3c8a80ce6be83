"""Gossip by weighted push: shares of mass over directed, changing graphs, of which none is lost.

Every worker keeps a model z_i and a weight w_i, 1 at the start; w_i z_i is its mass.

    z_i <- z_i - eta g_i(z_i)                              (the worker's own optimizer)
    every `period` steps, with k out-peers:
        w_i <- w_i / (k + 1), and as much, with z_i, to each out-peer
    on a share (y, v):
        z_i <- (w_i z_i + v y) / (w_i + v) ;  w_i <- w_i + v

The sums of w and of w z over all workers and all shares under way never change by an exchange, so
that every z_i tends to sum w z / sum w, the mean, even where some receive more than others. A share
that is lost, which is only said of one that nobody has or will take, is taken back.

Where z is rounded to travel, to y, the mass that rounding takes from k shares or gives them is the
sender's: z_i <- z_i + k (z_i - y), so that none is lost or made.

Stochastic gradient push keeps the numerator x = w z instead and lets the optimizer step on that, so
that z moves by eta g / w. The two are one where every w is 1, as with regular graphs and equal
rates. Where workers send when they can, w goes down to a few hundredths for a while, and such a
step is tens of steps (docs/adr/0006). As in GoSGD the optimizer here steps on z. The price is that
mass under way does not train: if a share of f of all mass is, the mean moves by 1 - f of a step.

References: Assran, Loizou, Ballas, Rabbat, "Stochastic gradient push for distributed deep
learning", 2019 (arXiv:1811.10792); Blot, Picard, Cord, Thome, "Gossip training for deep
learning", 2016 (arXiv:1611.09726); Kempe, Dobra, Gehrke, "Gossip-based computation of aggregate
information", 2003.
"""

from torch import Tensor

from gossip_trainer.algorithms.base import NOTHING
from gossip_trainer.algorithms.effects import (
    Effects,
    Fetch,
    Hear,
    Loss,
    Message,
    Party,
    Send,
    Skip,
    Wait,
)
from gossip_trainer.algorithms.gossip import Gossip
from gossip_trainer.algorithms.iterate import Iterate


class PushSum(Gossip):
    """Sends shares of its mass and never waits, unless `overlap` is off.

    A message holds z, and as its scalar how much of it.

    Args:
        rank: the own rank.
        view: the live workers.
        selection: chooses the out-peers.
        stream: the worker's own random stream.
        period: steps between two exchanges.
        overlap: train on while shares are under way.
        codec: how models are written.

    """

    def on_step(self, x: Iterate) -> Effects:
        """Every `period` steps share the mass with the out-peers."""
        if (round_ := self._next_round()) is None:
            return NOTHING
        if not self.idle:
            return (Skip(),)
        peers = self._selection.peers(self.view, self.rank, round_, self._stream)
        if not peers:
            return NOTHING
        self.weight /= len(peers) + 1
        z = x.copy()
        share = self._codec.encode(z)
        if share is not z:
            x.add_(z.sub_(self._codec.decode(share, z.dtype)), alpha=float(len(peers)))
        sends = [Send(peer, share, (self.weight,)) for peer in peers]
        return sends if self._overlap else [*sends, *map(Wait, sends)]

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Take in a share."""
        del sender
        self._gain_(x, message.vector, message.scalars[0])
        return NOTHING

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Take back a share that nobody took."""
        del reason
        assert isinstance(effect, Send)
        self._gain_(x, effect.vector, effect.scalars[0])
        return NOTHING

    def _gain_(self, x: Iterate, model: Tensor, weight: float) -> None:
        self.weight += weight
        x.lerp_(self._codec.decode(model, x.live.dtype), weight / self.weight)
