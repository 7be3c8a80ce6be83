"""Where the simulator's wall time goes."""

import time
from dataclasses import dataclass, field, fields

from torch import Tensor

from gossip_trainer.algorithms.base import Algorithm
from gossip_trainer.algorithms.delegate import Delegate
from gossip_trainer.algorithms.effects import Average, Effects, Fetch, Message, Party, Send
from gossip_trainer.algorithms.iterate import Iterate


class Lap:
    """Adds up the wall time spent inside of it; entered at every step, so it must cost little."""

    __slots__ = ("_began", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


@dataclass(frozen=True, slots=True)
class Laps:
    """What real workers, servers and a real evaluator compute as well; none inside another."""

    gradient: Lap = field(default_factory=Lap)
    optimizer: Lap = field(default_factory=Lap)
    mixing: Lap = field(default_factory=Lap)
    publishing: Lap = field(default_factory=Lap)
    evaluation: Lap = field(default_factory=Lap)

    def seconds(self) -> dict[str, float]:
        """Return the time of each."""
        return {lap.name: getattr(self, lap.name).seconds for lap in fields(self)}


class TimedAlgorithm(Delegate):
    """An algorithm whose arithmetic is timed."""

    def __init__(self, algorithm: Algorithm, lap: Lap) -> None:
        super().__init__(algorithm)
        self._lap = lap

    def before_step(self, x: Iterate) -> None:
        """Pass on."""
        with self._lap:
            super().before_step(x)

    def on_gradient(self, x: Iterate, gradient: Tensor) -> Effects:
        """Pass on."""
        with self._lap:
            return super().on_gradient(x, gradient)

    def on_step(self, x: Iterate) -> Effects:
        """Pass on."""
        with self._lap:
            return super().on_step(x)

    def on_answer(self, effect: Fetch | Send, message: Message | None, x: Iterate) -> Effects:
        """Pass on."""
        with self._lap:
            return super().on_answer(effect, message, x)

    def on_message(self, sender: Party, message: Message, x: Iterate) -> Effects:
        """Pass on."""
        with self._lap:
            return super().on_message(sender, message, x)

    def on_averaged(self, effect: Average, x: Iterate) -> Effects:
        """Pass on."""
        with self._lap:
            return super().on_averaged(effect, x)
