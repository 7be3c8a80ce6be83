"""A server in virtual time: it takes in a message at the moment it comes, in no time."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gossip_api.job import JobSpec
from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Shard
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.evaluation.mean import RunningMean
from gossip_trainer.membership.roster import Endpoint
from gossip_trainer.simulation.checkpoints import Checkpoints
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

    endpoint: Endpoint
    letters: VirtualLetters

    def __init__(
        self,
        spec: JobSpec,
        shard: Shard,
        *,
        shared: SharedModule,
        standing: Standing,
        learning_rate: Callable[[], float],
        lap: Lap,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self._spec = spec
        self._shard = shard
        self._layout = shared.layout
        self._standing = standing
        self._learning_rate = learning_rate
        self._lap = lap
        self._checkpoints = checkpoints
        self._begin(shared.initial, incarnation=0)

    def _begin(self, vector: Tensor, incarnation: int) -> None:
        """Be a new process, whose part is that of `vector`."""
        self.endpoint = Endpoint(Role.SERVER, self._shard.index, incarnation, host="", port=0)
        self.letters = VirtualLetters(self._take_in)
        self._view = make_view(0, {})
        self._served = ServedShard(
            self._spec,
            self._shard,
            layout=self._layout,
            initial=vector,
            learning_rate=self._learning_rate,
            letters=self.letters,
            view=self._view,
        )
        self._due = math.inf if self._checkpoints is None else self._checkpoints.next_due
        self._standing.watchers.append(self._look_around)

    def crash(self) -> None:
        """Be gone, with all that has come."""
        self.letters.die()

    def go_on_from(self, saved: Tensor | None, workers: RunningMean) -> None:
        """Come back with what was saved of the part, or else with that of the workers' mean."""
        vector = torch.zeros(self._layout.size, dtype=self._layout.dtype)
        workers.write_to_(vector)
        if saved is not None:
            vector[self._served.part] = saved
        self._begin(vector, self.endpoint.incarnation + 1)

    def write_to_(self, out: Tensor) -> None:
        """Write the centre into its part of `out`, a vector of the job's size."""
        self._served.iterate.write_to_(out[self._served.part])

    def _take_in(self) -> None:
        with self._lap:
            self._served.take_in()
        self._save_if_due()

    def _save_if_due(self) -> None:
        checkpoints = self._checkpoints
        if checkpoints is not None and checkpoints.now >= self._due:
            self._due = checkpoints.next_due
            part = self._served.part
            centre = torch.empty(part.stop - part.start, dtype=self._layout.dtype)
            self._served.iterate.write_to_(centre)
            checkpoints.save_part(self._shard.index, centre)

    def _look_around(self) -> None:
        workers = self._standing.roster.workers()
        members = {rank: endpoint.incarnation for rank, endpoint in workers.items()}
        view = make_view(self._view.version + 1, members)
        if view.members != self._view.members:
            self._view = view
            self._served.look_around(view)
