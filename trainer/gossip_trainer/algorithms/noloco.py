"""Local SGD whose outer steps average pairs instead of all workers (NoLoCo).

Every worker keeps slow weights phi_i of its own and trains x_i from them. Every `period` steps it
meets a partner j, by a matching that all draw alike for the round, and both take

    m_i   <- mu m_i + learning rate * ((x_i + x_j) / 2 - phi_i)
    phi_i <- phi_i + m_i
    x_i   <- phi_i

The paper's outer step has two terms. With Delta = x - phi and bars for means over the pair,

    m_i <- mu m_i + a bar(Delta) + g (bar(phi) - phi_i) .

With a = g, as in its authors' code, bar(Delta) + bar(phi) = bar(x): all that is needed of the
partner is its x. The pair moves by the same bar(x), each from its own phi, so that their distance
shrinks by 1 - learning rate (at mu = 0) and is closed by many rounds with many partners.

Of an odd number of workers one has no partner; it steps alone, with bar(x) = x_i, and so does who
waited for a partner in vain. Then the pair's steps differ, and nothing is kept but that each of
them is a proper outer step. Workers count rounds for themselves. A message of a round that is over
is ignored, one of a round that is still to come is kept until then. A worker that takes another's
place steps alone until it hears of a round, and takes that for its own next one. One that goes on
from its own state goes on counting, and waits in vain for partners who saved at a later round.

Float buffers behind the parameters are averaged plainly: momentum could drive a running variance
below zero.

Reference: Kolehmainen et al., "NoLoCo: No-all-reduce low communication training method for large
models", 2025 (arXiv:2506.10911), and its authors' code.
"""

from datetime import timedelta

from torch import Tensor

from gossip_trainer.algorithms.base import NOTHING
from gossip_trainer.algorithms.effects import (
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
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.outer_steps import OuterSteps
from gossip_trainer.algorithms.view import View
from gossip_trainer.compression.codec import PLAIN, Codec
from gossip_trainer.seeding import derive_seed
from gossip_trainer.topology.families import matching


class NoLoCo(OuterSteps):
    """Trains alone for `period` steps, then waits for one partner.

    A message holds x, and as its scalar the round. Where x is rounded to travel, bar(x) is the mean
    of both as they were rounded, so that the pair still moves by the same.

    Args:
        rank: the own rank.
        view: the live workers.
        num_parameters: how much of x is parameters; float buffers are behind them.
        period: local steps between two outer steps.
        learning_rate: of the outer steps.
        momentum: mu, in [0, 1).
        deadline: how long to wait for the partner.
        seed: of the matchings, the same for all workers.
        codec: how models are written.

    """

    def __init__(  # noqa: PLR0913 - an outer step's settings and what meeting a partner takes
        self,
        rank: Rank,
        view: View,
        num_parameters: int,
        *,
        period: int,
        learning_rate: float,
        momentum: float,
        deadline: timedelta,
        seed: int,
        codec: Codec = PLAIN,
    ) -> None:
        super().__init__(
            rank,
            view,
            num_parameters,
            period=period,
            learning_rate=learning_rate,
            momentum=momentum,
        )
        self._deadline_seconds = deadline.total_seconds()
        self._seed = seed
        self._codec = codec
        self._sent: Tensor | None = None  # in the round under way, as the partner sees it
        self._knows_round = all(m.incarnation == 0 for m in view.members if m.rank == rank)
        self._awaited: Rank | None = None
        self._early: dict[tuple[Party, int], Tensor] = {}

    def on_step(self, x: Iterate) -> Effects:
        """Every `period` steps meet the round's partner, or take the outer step alone."""
        if not self._is_due():
            return NOTHING
        partner = self._partner()
        if partner is None or not self.idle:
            self._take_outer_step_(x, x.copy())
            return NOTHING if partner is None else (Skip(),)
        send = Send(partner, self._codec.encode(x.copy()), (float(self._round),))
        self._sent = self._codec.decode(send.vector, x.live.dtype)
        theirs = self._early.get((partner, self._round))
        if theirs is not None:
            self._take_outer_step_(x, self._sent.lerp(theirs, 0.5))
            return (send, Wait(send))
        self._awaited = partner
        hear = Hear(partner, float(self._round), self._deadline_seconds)
        return (send, Wait(hear), Wait(send))

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Take the outer step with the partner's x, or keep it until its round has come."""
        round_, theirs = int(message.scalars[0]), self._codec.decode(message.vector, x.live.dtype)
        if not self._knows_round:
            self._round, self._knows_round = round_, True
        if round_ == self._round and sender == self._awaited:
            assert self._sent is not None, "who awaits a partner has sent"
            self._take_outer_step_(x, self._sent.lerp(theirs, 0.5))
        elif round_ >= self._round:
            self._early[sender, round_] = theirs.clone()
        return NOTHING

    def on_lost(self, effect: Fetch | Send | Hear, reason: Loss, x: Iterate) -> Effects:
        """Take the outer step alone if the partner is not heard."""
        del reason
        if isinstance(effect, Hear) and self._awaited is not None:
            self._take_outer_step_(x, x.copy())
        return NOTHING

    def restore(self, counts: tuple[int, ...]) -> None:
        """Go on from the own counts: they tell the round."""
        super().restore(counts)
        self._knows_round = True

    def _partner(self) -> Rank | None:
        if not self._knows_round:
            return None
        return partner_of(self.rank, self.view, seed=self._seed, round_=self._round)

    def _take_outer_step_(self, x: Iterate, mean: Tensor) -> None:
        """Move phi towards `mean`, which is used up, and x to phi."""
        assert self._phi is not None, "a step was begun"
        assert self._velocity is not None
        n, phi, velocity = self._num_parameters, self._phi, self._velocity
        pull = mean.sub_(phi)
        velocity.mul_(self._momentum).add_(pull[:n], alpha=self._learning_rate)
        phi[:n].add_(velocity)
        phi[n:].add_(pull[n:])
        x.assign_(phi)
        self._awaited = self._sent = None
        self._round += 1
        self._early = {key: kept for key, kept in self._early.items() if key[1] >= self._round}


def partner_of(rank: Rank, view: View, *, seed: int, round_: int) -> Rank | None:
    """Return whom `rank` meets in a round's random perfect matching; None for an odd one out."""
    ranks = view.ranks
    matched = matching(ranks.index(rank), len(ranks), derive_seed(seed, "partners", round_))
    return ranks[matched[0]] if matched else None
