"""A server in virtual time: it takes in a message at the moment it comes, in no time."""

from collections.abc import Callable

from torch import Tensor

from gossip_api.job import JobSpec
from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.laps import Lap
from gossip_trainer.simulation.letters import VirtualLetters
from gossip_trainer.simulation.replica import SharedModule
from gossip_trainer.simulation.standing import Standing
from gossip_trainer.training.served_shard import ServedShard


class VirtualServer:
    """One server.

    Attributes:
        endpoint: where it is.
        letters: what workers send it.

    """

    def __init__(
        self,
        spec: JobSpec,
        shard: Shard,
        *,
        shared: SharedModule,
        standing: Standing,
        learning_rate: Callable[[], float],
        lap: Lap,
    ) -> None:
        self.endpoint = Endpoint(Role.SERVER, shard.index, 0, host="", port=0)
        self.letters = VirtualLetters(self._take_in)
        self._standing = standing
        self._lap = lap
        self._view = make_view(0, {})
        self._served = ServedShard(
            spec,
            shard,
            layout=shared.layout,
            initial=shared.initial,
            learning_rate=learning_rate,
            letters=self.letters,
            view=self._view,
        )
        standing.watchers.append(self._look_around)

    def write_to_(self, out: Tensor) -> None:
        """Write the centre into its part of `out`, a vector of the job's size."""
        self._served.iterate.write_to_(out[self._served.part])

    def _take_in(self) -> None:
        with self._lap:
            self._served.take_in()

    def _look_around(self) -> None:
        workers = self._standing.roster.workers()
        members = {rank: endpoint.incarnation for rank, endpoint in workers.items()}
        view = make_view(self._view.version + 1, members)
        if view.members != self._view.members:
            self._view = view
            self._served.look_around(view)
