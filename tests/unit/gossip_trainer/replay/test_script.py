"""A log sorted into parts."""

import msgspec
import pytest

from gossip_api.names import Member, Role
from gossip_trainer.algorithms.view import make_view
from gossip_trainer.errors import RunError
from gossip_trainer.observability.events import Began, Called, Started
from gossip_trainer.replay.script import SEED, SnapshotKey, view_of, write_script


def of(source, record):
    return msgspec.structs.replace(record, source=source)


VIEW = Called(call="view", ranks=(0, 2), incarnations=(0, 3))
STEP = Called(call="step")


def fetched(member, step, *, finished=False):
    return Called(call="answer", peer=member, step=step, finished=finished)


def test_every_process_has_its_calls_in_order_and_the_view_it_began_with():
    script = write_script(
        [
            of("worker-0-0", Started(pid=1, address="")),
            of("worker-0-0", VIEW),
            of("server-1-0", VIEW),
            of("worker-0-0", STEP),
            of("server-1-0", Called(call="message", number=1)),
            of("worker-0-0", Called(call="finish")),
        ]
    )
    assert list(script.parts) == ["worker-0-0", "server-1-0"]
    part = script.parts["worker-0-0"]
    assert part.member == Member(Role.WORKER, 0, 0)
    assert part.view == make_view(0, {0: 0, 2: 3})
    assert [call.call for call in part.calls] == ["step", "finish"]
    assert (part.model_from, part.step) == (SEED, 0)


def test_one_that_copied_a_model_knows_whose_and_reads_it():
    began = Began(model_from="worker-2-3", step=17, job_samples=0)
    script = write_script([of("worker-0-1", began), of("worker-0-1", VIEW)])
    part = script.parts["worker-0-1"]
    assert (part.model_from, part.step) == ("worker-2-3", 17)
    assert script.readers == {SnapshotKey("worker-2-3", 17): 1}


def test_snapshots_are_counted_as_often_as_they_were_read_and_answers_to_messages_are_none():
    last = SnapshotKey("worker-2-3", 5, finished=True)
    script = write_script(
        [
            *(of(f"worker-{rank}-0", VIEW) for rank in range(2)),
            of("worker-0-0", fetched("worker-2-3", 5)),
            of("worker-1-0", fetched("worker-2-3", 5)),
            of("worker-1-0", fetched("worker-2-3", 5, finished=True)),
            of("worker-1-0", Called(call="answer", peer="worker-2", number=4)),
        ]
    )
    assert script.readers == {SnapshotKey("worker-2-3", 5): 2, last: 1}


def test_a_log_without_calls_is_of_no_traced_run():
    with pytest.raises(RunError, match="not traced"):
        write_script([of("worker-0-0", Started(pid=1, address=""))])


def test_a_call_tells_of_a_view():
    assert view_of(VIEW, 9) == make_view(9, {0: 0, 2: 3})
