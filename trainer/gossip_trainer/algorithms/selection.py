"""Which of its peers a worker exchanges with.

Peers follow from places in the order of the live ranks, so they change at once when workers come or
go. What all workers must draw alike comes from the job's seed and the round, by which every worker
counts its own exchanges; what each draws for itself comes from its own stream.
"""

from typing import Literal

from gossip_api.topology import Topology
from gossip_trainer.algorithms.base import RandomStream, uniform_rank
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.view import View
from gossip_trainer.seeding import derive_seed
from gossip_trainer.topology.families import FIXED, matching, one_peer_exponential, shifted

Selection = Literal["Uniform", "UniformOthers", "Balanced"]


class PeerSelection:
    """Chooses peers for one worker.

    Args:
        topology: who may exchange with whom.
        selection: which of them is taken; without meaning where there is one at most.
        seed: of the job.

    """

    def __init__(self, topology: Topology, selection: Selection, seed: int) -> None:
        self._family = topology.type
        self._selection = selection
        self._seed = seed

    def peer(self, view: View, rank: Rank, round_: int, stream: RandomStream) -> Rank | None:
        """Return whom to exchange with in a round: `rank` itself or None for nobody."""
        if self._family == "Complete" and self._selection == "Uniform":
            return uniform_rank(stream, view)
        candidates = self._out_peers(view, rank, round_)
        if not candidates:
            return None
        if self._family not in FIXED:  # which leave no choice
            return candidates[0]
        if self._selection == "Balanced":
            return candidates[round_ % len(candidates)]
        if self._selection == "Uniform":
            candidates = (rank, *candidates)
        return candidates[int(stream.random() * len(candidates))]

    def peers(self, view: View, rank: Rank, round_: int, stream: RandomStream) -> tuple[Rank, ...]:
        """Return all that a share goes to in a round; with Complete one of the others."""
        if self._family != "Complete":
            return self._out_peers(view, rank, round_)
        peer = self.peer(view, rank, round_, stream)
        return () if peer is None or peer == rank else (peer,)

    def _out_peers(self, view: View, rank: Rank, round_: int) -> tuple[Rank, ...]:
        ranks = view.ranks
        place, size = ranks.index(rank), len(ranks)
        return tuple(ranks[other] for other in self._out_places(place, size, round_))

    def _out_places(self, place: int, size: int, round_: int) -> tuple[int, ...]:
        match self._family, self._selection:
            case "OnePeerExponential", _:
                return one_peer_exponential(place, size, round_)
            case "RandomMatching", _:
                return matching(place, size, derive_seed(self._seed, "matching", round_))
            case "Complete", "Balanced":
                return shifted(place, size, derive_seed(self._seed, "shift", round_))
            case family, _:
                return FIXED[family](place, size)
