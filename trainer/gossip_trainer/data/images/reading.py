"""From image files to pixels. Imports no torch: it runs in the processes that decode."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from PIL import Image

from gossip_trainer.data.decoding.task import Array
from gossip_trainer.data.images.crops import Crop
from gossip_trainer.errors import DataError


class StoredImage(NamedTuple):
    """An image to decode.

    Attributes:
        name: where it is, for errors; the path where `content` is None.
        seed: decides what chance decides about it.
        target: its class.
        content: the file's bytes, where they are at hand.

    """

    name: str
    seed: int
    target: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class ImageDecoder:
    """Decodes images into uint8 of shape (num_images, 3, size, size)."""

    crop: Crop

    def __call__(self, images: Sequence[StoredImage], inputs: Array) -> Array:
        """Write the images into the rows of `inputs`; return their classes."""
        for image, row in zip(images, inputs, strict=False):
            row[:] = read_image(image, self.crop)
        return np.fromiter((image.target for image in images), np.int64, len(images))


def read_image(stored: StoredImage, crop: Crop) -> Array:
    """Return what `crop` chooses of an image, uint8 of shape (3, size, size).

    Raises:
        DataError: it cannot be decoded.

    """
    source = stored.name if stored.content is None else io.BytesIO(stored.content)
    try:
        with Image.open(source) as image:
            return _pixels(image, crop, random.Random(stored.seed))  # noqa: S311 - no secret
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{stored.name}: cannot be decoded as an image: {error}; replace or remove it"
        ) from error


def _pixels(image: Image.Image, crop: Crop, draw: random.Random) -> Array:
    width, height = image.size
    view = crop.view(width, height, draw)
    size = crop.size
    # A JPEG is decoded to a half, a quarter or an eighth of its size where that is still enough,
    # which saves most of the time.
    image.draft("RGB", (ceil(width * size / view.width), ceil(height * size / view.height)))
    across, down = image.size[0] / width, image.size[1] / height
    box = (
        view.left * across,
        view.top * down,
        min((view.left + view.width) * across, image.size[0]),
        min((view.top + view.height) * down, image.size[1]),
    )
    shown = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(shown).transpose(2, 0, 1)
    return pixels[:, :, ::-1] if view.mirrored else pixels
