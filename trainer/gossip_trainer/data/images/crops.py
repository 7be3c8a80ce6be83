"""Which part of an image is shown: a random one for training, the middle for a test. Pure."""

import math
import random
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

_TRIES: Final = 10


class View(NamedTuple):
    """A part of an image, in pixels from its left upper corner, perhaps mirrored."""

    left: float
    top: float
    width: float
    height: float
    mirrored: bool = False


class Crop(Protocol):
    """Chooses what is shown of an image; it is then scaled to `size` x `size` pixels."""

    @property
    def size(self) -> int:
        """The side of what is shown."""
        ...

    def view(self, width: int, height: int, draw: random.Random) -> View:
        """Choose the part of an image of that size."""
        ...


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """A part of random area, shape and place, mirrored every other time.

    Attributes:
        size: the side of what is shown.
        scale: least and greatest share of the image's area.
        ratio: least and greatest width by height; in between, its logarithm is uniform.
        flip: whether it may be mirrored.

    Reference: Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.

    """

    size: int
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True

    def view(self, width: int, height: int, draw: random.Random) -> View:
        """Choose the part; the largest of an allowed shape where chance finds none that fits."""
        mirrored = self.flip and draw.random() < 0.5
        low, high = map(math.log, self.ratio)
        for _ in range(_TRIES):
            area = width * height * draw.uniform(*self.scale)
            ratio = math.exp(draw.uniform(low, high))
            wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < wide <= width and 0 < tall <= height:
                left, top = draw.randint(0, width - wide), draw.randint(0, height - tall)
                return View(left, top, wide, tall, mirrored)
        wide = min(width, max(1, round(height * self.ratio[1])))
        tall = min(height, max(1, round(width / self.ratio[0])))
        return View((width - wide) // 2, (height - tall) // 2, wide, tall, mirrored)


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """The middle: the square of `size` pixels of an image whose shorter side has `resize`."""

    size: int
    resize: int

    def view(self, width: int, height: int, draw: random.Random) -> View:
        """Choose the part; nothing is left to chance."""
        del draw
        side = min(width, height) * self.size / self.resize
        return View((width - side) / 2, (height - side) / 2, side, side)
