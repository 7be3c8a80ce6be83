"""Makes small folders of JPEG files, laid out as ImageNet is."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_jpeg(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> Path:
    """Write a photo of nothing: a colour that flows into others, and some noise."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    noisy = image.astype(np.int16) + draw.integers(-8, 9, image.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, "JPEG", quality=85)
    return path


def write_image_folder(
    root: Path,
    *,
    classes: tuple[str, ...] = ("ant", "bee", "cat"),
    train: int = 4,
    val: int = 2,
    size: tuple[int, int] = (40, 30),
) -> Path:
    """Write `train` and `val` images for each class."""
    for split, count in (("train", train), ("val", val)):
        for number, name in enumerate(classes):
            for index in range(count):
                seed = hash((split == "val", number, index)) % 2**32
                write_jpeg(root / split / name / f"{index}.JPEG", seed, size)
    return root
