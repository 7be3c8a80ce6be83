"""Laws of streams: they go on where they were, and leave nothing out."""

import json
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jpegs import write_image_folder

from gossip_api.training import Data
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.stream import StreamPlan

quick = settings(max_examples=15, deadline=None)
SHARDINGS = st.sampled_from(["Partition", "Shared", "ByLabel"])


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    root = str(write_image_folder(tmp_path_factory.mktemp("images")))
    return {
        "synthetic": load_dataset(Data(name="synthetic", args={"examples": 30}), 1),
        "imagefolder": load_dataset(Data(name="imagefolder", root=root, args={"size": 8}), 1),
    }


def plan(batch_size, sharding="Partition", num_processes=0, stream=1):
    return StreamPlan(
        batch_size=batch_size,
        share=Share(1, 3),
        sharding=sharding,
        seed=1,
        stream=stream,
        num_processes=num_processes,
    )


def same(some, others):
    return all(
        torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
        for one, other in zip(some, others, strict=True)
    )


@quick
@given(
    st.sampled_from(["synthetic", "imagefolder"]), st.integers(1, 9), SHARDINGS, st.integers(0, 8)
)
def test_a_stream_goes_on_from_its_state_as_if_it_had_never_stopped(
    datasets, name, batch_size, sharding, before
):
    dataset, whose = datasets[name], plan(batch_size, sharding)
    whole = dataset.stream(whose)
    list(islice(whole, before))
    resumed = dataset.stream(whose, json.loads(json.dumps(whole.state())))
    assert same(list(islice(resumed, 4)), list(islice(whole, 4)))


@quick
@given(st.integers(1, 9), SHARDINGS)
def test_no_image_comes_twice_or_never_in_an_epoch_however_often_it_is_interrupted(
    datasets, batch_size, sharding
):
    dataset, whose = datasets["imagefolder"], plan(batch_size, sharding)
    per_epoch = 12 if sharding == "Shared" else 4
    uninterrupted = dataset.stream(plan(per_epoch, sharding))
    state, inputs = None, []
    while sum(map(len, inputs)) < per_epoch:
        stream = dataset.stream(whose, state)
        inputs.append(next(stream).inputs)
        state = json.loads(json.dumps(stream.state()))
    assert torch.equal(torch.cat(inputs)[:per_epoch], next(uninterrupted).inputs)


@pytest.mark.heavy
def test_a_stream_is_the_same_whoever_decodes_it_and_goes_on_elsewhere(datasets):
    dataset = datasets["imagefolder"]
    here, beside = (dataset.stream(plan(3, num_processes=number)) for number in (0, 2))
    assert same(list(islice(here, 5)), list(islice(beside, 5)))
    state = beside.state()
    beside.close()
    resumed = dataset.stream(plan(3, num_processes=2), state)
    assert state == here.state()
    assert same(list(islice(here, 5)), list(islice(resumed, 5)))
    resumed.close()
