"""What a cell found: the format of cells.jsonl."""

from __future__ import annotations

import msgspec


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The average of the live workers' models at one moment.

    Attributes:
        seconds: since training began; virtual in a simulation.
        samples: of all workers by then.
        steps: of all workers by then, over the workers at the start.
        received_bytes: model bytes received by all workers by then, over the workers at the start.
        accuracy: on held-out data; None if the model is not finite.
        loss: on held-out data; None if it is not finite.
        consensus_distance: root of the models' mean squared distance from their average; None if
            it is not finite.

    """

    seconds: float
    samples: float
    steps: float
    received_bytes: float
    accuracy: float | None
    loss: float | None
    consensus_distance: float | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one cell found.

    Attributes:
        key: the cell's.
        points: its evaluations in the order of time; the last one is at its end.
        stop: why it ended, such as `target` or `budget`.
        wall_seconds: how long it took here.

    """

    key: str
    points: tuple[Point, ...]
    stop: str
    wall_seconds: float
