import pytest

from gossip_trainer.data.cpus import processes_for
from gossip_trainer.data.images.crops import CentreCrop, RandomCrop
from gossip_trainer.data.images.settings import ImageSettings
from gossip_trainer.errors import DataError


def test_left_alone_images_are_shown_as_is_usual_for_imagenet():
    settings = ImageSettings.from_arguments({})
    assert settings.train == RandomCrop(224, (0.08, 1.0), (3 / 4, 4 / 3), flip=True)
    assert settings.test == CentreCrop(224, 256)
    assert 1 <= settings.num_processes <= 4


def test_all_of_it_can_be_chosen():
    settings = ImageSettings.from_arguments(
        {"size": 64, "resize": 64, "scale": [0.5, 1], "flip": False, "processes": 0}
    )
    assert settings == ImageSettings(
        RandomCrop(64, (0.5, 1.0), flip=False), CentreCrop(64, 64), num_processes=0
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"size": 0}, "args.size: got 0, expected an integer >= 1"),
        ({"size": 64, "resize": 32}, "args.resize: got 32, expected an integer >= 64"),
        ({"scale": [0.5, 0.2]}, "args.scale: got .* expected least and greatest share"),
        ({"scale": 0.5}, "args.scale: got 0.5"),
        ({"flip": 1}, "args.flip: got 1, expected true or false"),
        ({"processes": -1}, "args.processes: got -1, expected an integer >= 0"),
        ({"processes": 65}, "args.processes: got 65, expected at most 64"),
    ],
)
def test_a_wrong_argument_is_named(arguments, problem):
    with pytest.raises(DataError, match=problem):
        ImageSettings.from_arguments(arguments)


@pytest.mark.parametrize(
    ("num_cpus", "limit", "processes"),
    [(2, "max 100000", 2), (64, "", 4), (64, "200000 100000", 2), (8, "50000 100000", 1)],
)
def test_as_many_processes_decode_as_there_are_cpus_but_no_more_than_four(
    num_cpus, limit, processes
):
    assert processes_for(num_cpus, limit) == processes
