"""What a job says about how its images are shown and decoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from gossip_trainer.data.arguments import integer, wrong
from gossip_trainer.data.cpus import default_processes
from gossip_trainer.data.images.crops import CentreCrop, RandomCrop

ARGUMENTS: Final = ("size", "resize", "scale", "flip", "processes")
MAX_PROCESSES: Final = 64


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """How images are shown and decoded.

    Attributes:
        train: what is shown of an image for training.
        test: the same for a test.
        num_processes: how many decode beside each process of the job; 0: itself.

    """

    train: RandomCrop
    test: CentreCrop
    num_processes: int

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, object]) -> Self:
        """Check what the job file says.

        Raises:
            DataError: names the argument, what it is and what is allowed.

        """
        size = integer("size", arguments.get("size", 224), 1)
        # The usual 256 for 224, in proportion.
        resize = integer("resize", arguments.get("resize", size * 8 // 7), size)
        processes = arguments.get("processes")
        num_processes = (
            default_processes() if processes is None else integer("processes", processes, 0)
        )
        if num_processes > MAX_PROCESSES:
            raise wrong("processes", processes, f"at most {MAX_PROCESSES}")
        flip = arguments.get("flip", True)
        if not isinstance(flip, bool):
            raise wrong("flip", flip, "true or false")
        scale = _scale(arguments.get("scale", (0.08, 1.0)))
        return cls(RandomCrop(size, scale, flip=flip), CentreCrop(size, resize), num_processes)


def _scale(given: object) -> tuple[float, float]:
    match given:
        case [int() | float() as low, int() | float() as high] if 0 < low <= high <= 1:
            return float(low), float(high)
    raise wrong("scale", given, "least and greatest share of the area, as [0.08, 1.0]")
