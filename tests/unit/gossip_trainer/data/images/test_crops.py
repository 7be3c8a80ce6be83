import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip_trainer.data.images.crops import CentreCrop, RandomCrop, View

sides = st.integers(1, 3000)


@given(sides, sides, st.integers(0, 99))
def test_a_random_view_lies_in_the_image(width, height, seed):
    view = RandomCrop(224).view(width, height, random.Random(seed))
    assert 0 <= view.left <= view.left + view.width <= width
    assert 0 <= view.top <= view.top + view.height <= height
    assert min(view.width, view.height) >= 1


def test_random_views_have_the_area_and_the_shape_that_are_allowed():
    draw = random.Random(1)
    views = [RandomCrop(224).view(500, 375, draw) for _ in range(500)]
    shares = [view.width * view.height / (500 * 375) for view in views]
    ratios = [view.width / view.height for view in views]
    assert 0.07 < min(shares) < 0.15
    assert 0.85 < max(shares) <= 1
    assert 0.74 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.35
    assert 200 < sum(view.mirrored for view in views) < 300


def test_nothing_is_mirrored_where_the_job_says_so():
    draw = random.Random(1)
    assert not any(RandomCrop(8, flip=False).view(20, 20, draw).mirrored for _ in range(50))


def test_where_no_shape_fits_the_middle_is_shown():
    assert RandomCrop(8, scale=(1, 1)).view(100, 10, random.Random(1))[:4] == (43, 0, 13, 10)


@pytest.mark.parametrize(
    ("width", "height", "view"),
    [
        (256, 256, View(16, 16, 224, 224)),
        (512, 256, View(144, 16, 224, 224)),
        (512, 1024, View(32, 288, 448, 448)),
    ],
)
def test_a_test_shows_the_middle(width, height, view):
    assert CentreCrop(224, 256).view(width, height, random.Random(1)) == view
