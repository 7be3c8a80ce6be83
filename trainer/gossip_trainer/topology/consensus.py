"""How fast a way of exchanging brings workers together, and what it sends.

Rounds are ideal: all exchange at once and mix before the next; drawn pairwise exchanges come one
after the other, n to a round. What is mixed a boundary later acts that much later.

Of two numbers that both go by the name, spectral gap here is 1 - sqrt(rho), by how much a round
shrinks the consensus distance in mean square; for rounds of one and the same symmetric matrix that
is 1 minus its second largest absolute eigenvalue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gossip_trainer.topology.families import FIXED, torus_columns
from gossip_trainer.topology.mixing import (
    decay,
    is_doubly_stochastic,
    peer_law,
    pull,
    share,
    turns,
)
from gossip_trainer.topology.moments import (
    iterated_pull_contraction,
    matching,
    pair_contraction,
    pull_contraction,
    push_complete,
    push_sum_complete,
    shift_contraction,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gossip_trainer.topology.mixing import Matrix

Exchange = Literal["Pull", "Push", "Pairwise", "PushSum"]

NEARNESS = 1e-3
"""Rounds to consensus are those after which the consensus distance is this part of what it was."""
ROUNDING = 1e-12  # a contraction this near to 0 or 1 is 0 or 1


@dataclass(frozen=True, slots=True)
class Setting:
    """A way of exchanging among `size` workers; names are those of the job."""

    exchange: Exchange
    family: str
    selection: str
    size: int
    mixing_weight: float = 0.5

    @property
    def weight(self) -> float:
        """What a worker takes of one other; a push weighs all models alike."""
        return self.mixing_weight if self.exchange in {"Pull", "Pairwise"} else 0.5

    @property
    def with_self(self) -> bool:
        """Whether a worker may draw itself."""
        return self.selection == "Uniform"

    @property
    def has_choice(self) -> bool:
        """Whether there is anything to select."""
        return self.family in FIXED and not self.sends_to_all

    @property
    def is_drawn(self) -> bool:
        """Whether every worker draws for itself."""
        return self.has_choice and self.selection != "Balanced"

    @property
    def sends_to_all(self) -> bool:
        """Whether a share goes to all out-peers at once."""
        return self.exchange == "PushSum" and self.family in FIXED and self.family != "Complete"


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a setting does in a round, in which every worker has had one exchange.

    Attributes:
        contraction: rho, by which the squared consensus distance shrinks; of push-sum that of the
            masses' errors; None where there is no formula.
        rounds: after which the consensus distance is `NEARNESS` of what it was; None where there is
            no formula, and where it never is, as with weight 1 if models only change places.
        models: how many a worker sends on average, and receives.

    """

    contraction: float | None
    rounds: int | None
    models: float

    @property
    def spectral_gap(self) -> float | None:
        """By how much a round shrinks the consensus distance."""
        return None if self.contraction is None else 1.0 - math.sqrt(self.contraction)


def consensus(setting: Setting) -> Consensus:
    """Return how fast the setting mixes and what it sends."""
    if setting.size == 1:
        return Consensus(contraction=0.0, rounds=0, models=0.0)
    period = 1
    contraction: float | None
    if setting.family == "RandomMatching":
        contraction = matching(setting.size, setting.weight).contraction
    elif setting.is_drawn:
        contraction = _drawn(setting)
    elif setting.family == "Complete":
        both_ends = setting.exchange == "Pairwise"
        contraction = shift_contraction(setting.size, setting.weight, both_ends=both_ends)
    else:
        shrinking, period = decay(matrices_of(setting))
        contraction = shrinking**2
    if contraction is None:
        return Consensus(None, None, _models(setting))
    if contraction < ROUNDING:
        return Consensus(0.0, period, _models(setting))
    if contraction > 1.0 - ROUNDING:
        return Consensus(1.0, None, _models(setting))
    rounds = math.ceil(2.0 * math.log(NEARNESS) / math.log(contraction))
    return Consensus(contraction, rounds, _models(setting))


def _drawn(setting: Setting) -> float | None:
    size, with_self = setting.size, setting.with_self
    if setting.exchange == "PushSum":
        return push_sum_complete(size, with_self=with_self).contraction
    if setting.exchange == "Push":
        if setting.family != "Complete":
            return None
        return push_complete(size, with_self=with_self).contraction
    law = peer_law(setting.family, size, with_self=with_self)
    if setting.exchange == "Pairwise":
        return pair_contraction(law, setting.weight)
    if is_doubly_stochastic(law):
        return pull_contraction(law, setting.weight)
    return iterated_pull_contraction(law, setting.weight)


def matrices_of(setting: Setting) -> Iterator[Matrix]:
    """Yield the rounds' matrices until they repeat, of exchanges without any draw."""
    if setting.sends_to_all:
        yield share([FIXED[setting.family](i, setting.size) for i in range(setting.size)])
        return
    one, weight = np.eye(setting.size), setting.weight
    for turn in turns(setting.family, setting.size):
        if setting.exchange == "Pull":
            matrix = pull(turn, weight)
        elif setting.exchange == "Push":
            matrix = one + turn.T
            matrix /= matrix.sum(axis=1, keepdims=True)
        elif setting.exchange == "Pairwise":  # all at once, each difference halved
            edges = turn + turn.T
            matrix = one - weight / 2 * (np.diag(edges.sum(axis=1)) - edges)
        else:
            matrix = 0.5 * (one + turn.T)
        yield matrix


def _models(setting: Setting) -> float:
    size = setting.size
    peers_of = FIXED.get(setting.family)
    degrees = [len(peers_of(place, size)) for place in range(size)] if peers_of else []
    if setting.sends_to_all:
        return sum(degrees) / size
    sent = 1.0
    if setting.family == "RandomMatching":
        sent = (size - size % 2) / size
    elif setting.is_drawn and setting.with_self:
        sent = sum(degree / (degree + 1) for degree in degrees) / size
    return 2.0 * sent if setting.exchange == "Pairwise" else sent


def remarks(setting: Setting) -> tuple[str, ...]:
    """Return in words what the number of workers does to the graph."""
    size, family = setting.size, setting.family
    is_power = size & (size - 1) == 0
    if size == 1:
        return ("nobody to exchange with",)
    found = []
    if family == "Torus":
        columns = torus_columns(size)
        grid = f"a grid of {size // columns} x {columns}"
        found.append("a ring, because the number is prime" if columns == size else grid)
    if family == "Hypercube" and not is_power:
        found.append("no power of two: without the places that nobody has")
    if family == "OnePeerExponential" and not is_power:
        found.append("no power of two: consensus only in the limit")
    if family == "RandomMatching" and size % 2:
        found.append("odd: one worker stays out of every round")
    if setting.is_drawn and setting.exchange == "Push" and family != "Complete":
        found.append("no formula for drawn pushes on a graph; gossip simulate measures it")
    return tuple(found)
