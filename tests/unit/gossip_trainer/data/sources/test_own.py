import json
import random
import sys
from itertools import islice
from types import ModuleType

import numpy as np
import pytest
import torch
from own_data import Squares

from gossip_api.training import Data
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.sources import synthetic
from gossip_trainer.data.stream import StreamPlan
from gossip_trainer.errors import DataError

ITEMS = [(torch.zeros(2), 0), (torch.ones(2), 1)]


@pytest.fixture(autouse=True)
def returned(monkeypatch):
    """Lets a test say what `users_data:make` returns."""
    module = ModuleType("users_data")
    monkeypatch.setitem(sys.modules, "users_data", module)

    def returns(make):
        module.make = make if callable(make) else lambda: make

    return returns


def load(name="own_data:squares", seed=1, **args):
    return load_dataset(Data(name=name, args=args), seed)


def plan(**changed):
    settings = {
        "batch_size": 4,
        "share": Share(0, 2),
        "sharding": "Partition",
        "seed": 1,
        "stream": 0,
    }
    return StreamPlan(**(settings | changed))


def drawn(stream, count):
    return [batch.inputs.tolist() for batch in islice(stream, count)]


def test_a_users_map_style_data_sets_are_a_data_set():
    dataset = load(size=9)
    assert dataset.num_examples == 9
    assert dataset.num_classes == 3
    assert dataset.input_shape == (1, 2, 2)
    inputs, targets = next(dataset.stream(plan()))
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)
    assert targets.tolist() == (inputs[:, 0, 0, 0].long() % 3).tolist()


def test_the_test_split_comes_in_order():
    batches = list(load().test_batches(4))
    assert torch.cat([batch.targets for batch in batches]).tolist() == [0, 1, 2, 0, 1, 2]


def test_the_number_of_classes_may_be_returned_as_well(returned):
    returned((ITEMS, ITEMS, 7))
    assert load("users_data:make").num_classes == 7


def test_classes_are_counted_as_torchvisions_data_sets_name_them(returned):
    train = Squares()
    train.num_classes, train.classes = None, ["ant", "bee", "cat", "dog"]
    returned((train, ITEMS))
    assert load("users_data:make").num_classes == 4


def test_a_data_set_of_this_trainers_kind_is_taken_as_it_is(returned):
    own = synthetic.load({"examples": 10}, 1)
    returned(lambda: own)
    assert load("users_data:make") is own


def test_a_split_at_random_is_the_same_for_all_workers(returned):
    returned(lambda: (*torch.utils.data.random_split(ITEMS * 20, [30, 10]), 2))
    splits = [load("users_data:make", seed=seed)._train.indices for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_the_callable_gets_the_seed_if_it_takes_one(returned):
    seeds = []
    returned(lambda seed: seeds.append(seed) or (ITEMS, ITEMS, 2))
    load("users_data:make", seed=17)
    assert seeds == [17]


def test_items_of_tokens_are_predicted_position_by_position(returned):
    items = [(torch.arange(5), torch.arange(1, 6))] * 4
    returned((items, items, 8))
    dataset = load("users_data:make")
    inputs, targets = next(dataset.stream(plan()))
    assert inputs.tolist() == [[0, 1, 2, 3, 4]] * 4
    assert targets.tolist() == [[1, 2, 3, 4, 5]] * 4
    assert dataset.grade(torch.nn.functional.one_hot(targets, 8).float(), targets).correct == 20


def test_what_an_item_draws_at_random_does_not_depend_on_when_it_is_read():
    whole = load(noise=0.5).stream(plan(batch_size=3))
    drawn(whole, 3)
    resumed = load(noise=0.5).stream(plan(batch_size=3), json.loads(json.dumps(whole.state())))
    assert drawn(resumed, 4) == drawn(whole, 4)


def test_reading_leaves_all_random_streams_of_the_training_alone():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    drawn(load(noise=0.5).stream(plan()), 2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002


def test_by_label_the_classes_are_those_of_the_attribute_targets():
    stream = load().stream(plan(sharding="ByLabel"))
    assert {i for batch in islice(stream, 3) for i in batch.targets.tolist()} == {0, 1}


def test_by_label_without_targets_is_refused(returned):
    returned((ITEMS, ITEMS, 2))
    with pytest.raises(DataError, match="ByLabel needs the class of every item"):
        load("users_data:make").stream(plan(sharding="ByLabel"))


@pytest.mark.heavy
def test_processes_read_the_same_as_the_worker_itself():
    one, other = (load(noise=0.5, processes=number).stream(plan()) for number in (0, 2))
    assert drawn(one, 6) == drawn(other, 6)
    other.close()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("text", "returned str, expected \\(train, test\\)"),
        ((ITEMS,), "returned \\(list\\), expected"),
        ((ITEMS, iter(ITEMS)), "returned \\(list, list_iterator\\), expected"),
        ((ITEMS, ITEMS), "how many classes are there"),
        (([], ITEMS, 2), "the train data set is empty"),
        ((ITEMS, [], 2), "the test data set is empty"),
        (([3], ITEMS, 2), "item 0 of the data set: is int, expected an input and a target"),
        (([("x", 1)], ITEMS, 2), "torch cannot make tensors of .* transform images"),
        (([(torch.zeros(2).byte(), 1)], ITEMS, 2), "the input is torch.uint8, expected floats"),
        (([(torch.zeros(2), 0.5)], ITEMS, 2), "the target is torch.float32, expected integers"),
    ],
)
def test_a_wrong_return_is_an_error_that_says_why(returned, value, problem):
    returned(value)
    with pytest.raises(DataError, match=problem):
        load("users_data:make")


@pytest.mark.parametrize(
    ("odd", "problem"),
    [
        ((torch.zeros(3), 0), "all must be alike"),
        ((torch.zeros(2), 5), "its target 5 is no class; allowed are 0 to 1"),
        ((torch.zeros(2), -1), "its target -1 is no class"),
    ],
)
def test_an_odd_item_is_named_when_it_is_met(returned, odd, problem):
    returned(([*ITEMS, odd], ITEMS, 2))
    stream = load("users_data:make").stream(plan(share=Share(0, 1)))
    with pytest.raises(DataError, match=f"item 2 of the data set: .*{problem}"):
        next(stream)


def test_arguments_are_checked_by_the_signature():
    with pytest.raises(DataError, match=r"data.args.siz: unknown argument .* \(did you mean size"):
        load(siz=3)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"data.name 'no_such:x': cannot import no_such"):
        load("no_such:x")
