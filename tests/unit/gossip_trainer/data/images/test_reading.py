import io

import numpy as np
import pytest
from PIL import Image

from gossip_trainer.data.images.crops import CentreCrop, RandomCrop
from gossip_trainer.data.images.reading import ImageDecoder, StoredImage, read_image
from gossip_trainer.errors import DataError

WHOLE = CentreCrop(8, 8)


def encoded(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def stored(image, kind="PNG", seed=0, target=0):
    return StoredImage("an image", seed, target, encoded(image, kind))


def colours(width=8, height=8):
    array = np.zeros((height, width, 3), np.uint8)
    array[..., 0] = np.linspace(0, 255, width)
    array[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(array)


def test_an_image_that_is_shown_whole_is_what_it_was():
    pixels = read_image(stored(colours()), WHOLE)
    assert (pixels == np.asarray(colours()).transpose(2, 0, 1)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_every_kind_of_image_becomes_red_green_and_blue(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    pixels = read_image(stored(colours().convert(mode), kind), WHOLE)
    assert pixels.shape == (3, 8, 8)
    assert pixels.dtype == np.uint8


def test_a_mirrored_image_is_the_other_way_round():
    whole = RandomCrop(8, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    shown = [read_image(stored(colours(), seed=seed), whole) for seed in range(8)]
    kinds = {("rising" if image[0, 0, 0] < image[0, 0, -1] else "falling") for image in shown}
    assert kinds == {"rising", "falling"}


def test_a_jpeg_that_is_decoded_to_a_part_of_its_size_looks_the_same():
    large = colours(512, 384).convert("RGB")
    crop = CentreCrop(32, 36)
    quick = read_image(stored(large, "JPEG"), crop).astype(int)
    thorough = read_image(stored(large), crop).astype(int)
    assert abs(quick - thorough).max() <= 6


def test_what_is_shown_follows_from_the_seed_alone():
    one, again, other = (
        read_image(stored(colours(64, 64), seed=seed), RandomCrop(8)) for seed in (1, 1, 2)
    )
    assert (one == again).all()
    assert (one != other).any()


def test_the_images_of_a_batch_fill_its_first_rows():
    inputs = np.full((3, 3, 8, 8), 7, np.uint8)
    images = [stored(colours(), target=4), stored(colours(), target=2)]
    assert ImageDecoder(WHOLE)(images, inputs).tolist() == [4, 2]
    assert (inputs[1] == np.asarray(colours()).transpose(2, 0, 1)).all()
    assert (inputs[2] == 7).all()


@pytest.mark.parametrize("content", [b"", b"no image", encoded(colours(64, 64), "JPEG")[:300]])
def test_a_damaged_image_is_named(content):
    with pytest.raises(DataError, match=r"^n01/a.JPEG: cannot be decoded .* replace or remove it"):
        read_image(StoredImage("n01/a.JPEG", 0, 0, content), WHOLE)


def test_a_file_that_is_gone_is_named(tmp_path):
    path = str(tmp_path / "gone.JPEG")
    with pytest.raises(DataError, match=r"gone.JPEG: cannot be decoded"):
        read_image(StoredImage(path, 0, 0), WHOLE)
