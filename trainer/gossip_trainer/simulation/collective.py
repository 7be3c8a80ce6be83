"""Means over all workers: a barrier, then the time of a ring.

A ring all-reduce of M bytes over p workers takes 2 (p-1) steps, each of one latency and M / p
bytes: 2 (p-1) latency + 2 (p-1)/p M/B. What the workers agree on beside the mean is as in
gossip_trainer.training.collective.
"""

from collections.abc import Callable, Generator

from torch import Tensor

from gossip_trainer.simulation.clock import Clock, Signal
from gossip_trainer.simulation.network import Network
from gossip_trainer.training.collective import Agreement, ring_bytes
from gossip_trainer.training.ending import Wishes
from gossip_trainer.training.full_state import FullState


class Meeting:
    """One mean under way. The vectors are added up as they come; none of them is kept."""

    def __init__(self) -> None:
        self.done = Signal()
        self.samples = 0
        self.stop = self.save = False
        self.came = 0
        self._sum: Tensor | None = None

    def add(self, vector: Tensor, *, samples: int, wishes: Wishes) -> None:
        """Take in one worker's part."""
        if self._sum is None:
            self._sum = vector.clone()
        else:
            self._sum.add_(vector)
        self.came += 1
        self.samples += samples
        self.stop = self.stop or wishes.stop
        self.save = self.save or wishes.save

    def divide_(self) -> None:
        """Make the mean of the sum."""
        assert self._sum is not None
        self._sum.div_(self.came)

    def write_to_(self, vector: Tensor) -> None:
        """Overwrite `vector` with the mean."""
        assert self._sum is not None
        vector.copy_(self._sum)

    @property
    def agreement(self) -> Agreement:
        """What all members know afterwards."""
        return Agreement(self.samples, self.stop, save=self.save)


class Hall:
    """Where `size` workers meet, one meeting after the other."""

    def __init__(self, clock: Clock, network: Network, size: int) -> None:
        self._clock = clock
        self._network = network
        self.size = size
        self._meeting = Meeting()

    def enter(self, vector: Tensor, *, samples: int, wishes: Wishes) -> Meeting:
        """Come to the meeting under way; wait for its `done` before reading the mean."""
        meeting = self._meeting
        meeting.add(vector, samples=samples, wishes=wishes)
        if meeting.came == self.size:
            self._meeting = Meeting()
            meeting.divide_()
            self._clock.after(self.ring_seconds(vector.nbytes), meeting.done.give)
        return meeting

    def clear(self) -> None:
        """Forget who has come: all of them are lost."""
        self._meeting = Meeting()

    def ring_seconds(self, num_bytes: float) -> float:
        """Return how long one all-reduce takes once all have come."""
        network, p = self._network, self.size
        return (
            ring_bytes(num_bytes, p) / network.bandwidth_both_ways + 2 * (p - 1) * network.latency
        )


class VirtualCollective:
    """One worker's way into the hall."""

    def __init__(self, hall: Hall, on_news: Callable[[], None]) -> None:
        self._hall = hall
        self._on_news = on_news
        self._meeting: Meeting | None = None
        self._vector: Tensor | None = None
        self.size = hall.size

    def form(self, state: FullState, is_over: Callable[[], bool]) -> Generator[float, None, bool]:
        """Meet those who have met from the beginning: nobody comes or goes."""
        del state, is_over
        yield from ()
        return True

    def leave(self) -> None:
        """Meet nobody any more."""

    def begin(self, vector: Tensor, *, samples: int, wishes: Wishes) -> None:
        """Begin to replace `vector` by its mean."""
        assert not wishes.leave, "in a simulation nobody leaves a collective"
        self._vector = vector
        self._meeting = self._hall.enter(vector, samples=samples, wishes=wishes)
        self._meeting.done.wake(self._on_news)

    def is_ready(self) -> bool:
        """Tell whether the mean is there."""
        return self._meeting is not None and self._meeting.done.given

    def finish(self) -> Agreement:
        """Write the mean; return what all agreed on."""
        meeting, vector = self._meeting, self._vector
        assert meeting is not None
        assert vector is not None
        meeting.write_to_(vector)
        return meeting.agreement

    def received_bytes(self, num_bytes: int) -> int:
        """Return what a ring brings every worker."""
        return round(ring_bytes(num_bytes, self.size))
