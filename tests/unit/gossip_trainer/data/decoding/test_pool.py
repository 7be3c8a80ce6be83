import os
import signal

import pytest
from counting_decoder import Counting

from gossip_trainer.data.decoding import pool
from gossip_trainer.data.decoding.pool import DecodingProcesses, open_decoding
from gossip_trainer.data.decoding.stream import DecodedStream, decoded
from gossip_trainer.data.decoding.task import RawShape
from gossip_trainer.data.images.crops import CentreCrop
from gossip_trainer.data.images.reading import ImageDecoder, StoredImage
from gossip_trainer.errors import DataError

SHAPE = RawShape(4, (2,), "int64")
HERE_AND_BESIDE = pytest.mark.parametrize(
    "num_processes", [0, pytest.param(2, marks=pytest.mark.heavy)]
)


@pytest.fixture
def opened():
    all_of_them = []

    def open_(num_processes, decoder=None):
        all_of_them.append(open_decoding(decoder or Counting(), SHAPE, num_processes))
        return all_of_them[-1]

    yield open_
    for each in all_of_them:
        each.close()


@HERE_AND_BESIDE
def test_batches_come_in_the_order_of_their_tasks(opened, num_processes):
    batches = [
        (inputs.tolist(), targets.tolist())
        for inputs, targets in decoded(range(11), opened(num_processes))
    ]
    assert batches == [
        ([[task, task]] * (task % 4 + 1), [task * 10] * (task % 4 + 1)) for task in range(11)
    ]


@HERE_AND_BESIDE
def test_what_goes_wrong_with_a_task_is_raised_when_its_batch_is_due(opened, num_processes):
    batches = decoded([1, 13], opened(num_processes))
    assert next(batches)[1].tolist() == [10, 10]
    with pytest.raises((DataError, ValueError), match="no such luck"):
        next(batches)


@pytest.mark.heavy
def test_an_image_that_cannot_be_decoded_is_named_from_a_process_too(opened):
    decoding = opened(1, ImageDecoder(CentreCrop(8, 8)))
    decoding.submit([StoredImage("n01/a.JPEG", 0, 0, b"no image")])
    with pytest.raises(DataError, match=r"^n01/a.JPEG: cannot be decoded"):
        decoding.take()


@pytest.mark.heavy
def test_a_process_that_is_killed_ends_the_stream_with_a_hint(opened):
    decoding = opened(2)
    decoding.submit(-signal.SIGKILL)
    with pytest.raises(DataError, match="decodes the data was killed; it may need more memory"):
        decoding.take()


@pytest.mark.heavy
def test_a_batch_that_does_not_come_is_not_waited_for_for_ever(opened, monkeypatch):
    monkeypatch.setattr(pool, "BATCH_SECONDS", 0.1)
    decoding = opened(1)
    decoding.submit(99)
    with pytest.raises(DataError, match=r"no batch was decoded within 0.1 s"):
        decoding.take()


@pytest.mark.heavy
def test_closing_ends_the_processes_and_may_be_repeated():
    decoding = DecodingProcesses(Counting(), SHAPE, 2)
    pids = [hand._process.pid for hand in decoding._hands]
    decoding.close()
    decoding.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_cannot_be_sent_to_a_process_is_refused_with_advice():
    with pytest.raises(DataError, match=r"cannot be sent to processes .*args.processes to 0"):
        DecodingProcesses(lambda task, inputs: inputs, SHAPE, 1)


def test_the_position_of_a_stream_is_that_of_what_it_handed_out_not_of_what_is_under_way():
    tasks = iter(range(100))
    asked = []

    def next_task():
        asked.append(next(tasks))
        return asked[-1], {"number": asked[-1] + 1}

    here = open_decoding(Counting(), SHAPE, 0)
    here.ahead = 4
    stream = DecodedStream(
        next_task, here, finish=lambda inputs, targets: targets[0], position={"number": 0}
    )
    assert (asked[-1], stream.state()) == (3, {"number": 0})
    assert (next(stream), stream.state()) == (0, {"number": 1})
    assert (next(stream), stream.state()) == (10, {"number": 2})
    assert asked[-1] == 5
