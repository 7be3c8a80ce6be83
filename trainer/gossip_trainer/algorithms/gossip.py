"""What all gossip has in common: a peer choice, and an exchange every `period` steps."""

from gossip_trainer.algorithms.base import Algorithm, RandomStream
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.algorithms.selection import PeerSelection
from gossip_trainer.algorithms.view import View
from gossip_trainer.compression.codec import PLAIN, Codec


class Gossip(Algorithm):
    """Counts steps and rounds; what an exchange is, the subclasses say.

    Args:
        rank: the own rank.
        view: the live workers.
        selection: chooses the peers.
        stream: the worker's own random stream.
        period: steps between two exchanges.
        overlap: train on while an exchange is under way instead of waiting.
        codec: how what is sent is written.

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
        super().__init__(rank, view)
        self._codec = codec
        self._selection = selection
        self._stream = stream
        self._period = period
        self._overlap = overlap
        self._step = 0

    def _next_round(self) -> int | None:
        """Count a step; return the number of the exchange that is due after it, if one is."""
        self._step += 1
        round_, rest = divmod(self._step, self._period)
        return None if rest else round_ - 1

    def _peer(self, round_: int) -> Rank | None:
        """Draw whom to exchange with: the own rank or None for nobody."""
        return self._selection.peer(self.view, self.rank, round_, self._stream)
