"""A traced run done again comes out the same to the bit, and where it does not that is found.

The runs here are simulated: their event log tells what each algorithm was told in virtual time. The
players know nothing of virtual time, step boundaries or exchanges. So this also proves that the
simulator carries out what the algorithms say.
"""

import msgspec
import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Called, Record
from gossip_trainer.replay.replay import replay
from gossip_trainer.replay.worker import Mismatch

GOSSIP = {"type": "Gossip", "gossip": {"exchange": "Pull"}}


def gossip(exchange, *, overlap):
    return {"type": "Gossip", "gossip": {"exchange": exchange, "overlap": overlap}}


def served(kind, member, **settings):
    return {"type": kind, member: settings}


STRATEGIES = {
    f"{exchange}, overlap {overlap}": gossip(exchange, overlap=overlap)
    for exchange in ("Pull", "Push", "Pairwise", "PushSum")
    for overlap in (False, True)
} | {
    "elastic averaging": served("ElasticAveraging", "elasticAveraging", overlap=True),
    "elastic averaging, blocking": served("ElasticAveraging", "elasticAveraging", overlap=False),
    "parameter server": served("ParameterServer", "parameterServer", overlap=True, maxStaleness=1),
    "parameter server, blocking": served("ParameterServer", "parameterServer"),
    "NoLoCo": {
        "type": "LocalSGD",
        "localSGD": {"period": 3, "averaging": "Gossip", "partnerDeadline": "1s"},
    },
}
FAULTS = [{"at": "3300ms", "crash": 2}, {"at": "4100ms", "leave": 1}, {"at": "6s", "join": 2}]


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_every_strategy_comes_out_the_same(traced_run, strategy):
    server = None if strategy["type"] in {"Gossip", "LocalSGD"} else {"shards": 2}
    run, result = traced_run(strategy, server=server)
    found = replay(run)
    assert found.mismatches == ()
    assert sum(worker.exchanges for worker in result.workers) > 10
    versions = 0 if server is None else sum(is_of_server(record) for record in published(run))
    assert found.published == versions + 4 * (10 + 1)
    assert len(found.members) == 4 + (2 if server else 0)


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_crashes_departures_and_newcomers_come_out_the_same(traced_run, strategy):
    server = None if strategy["type"] in {"Gossip", "LocalSGD"} else {"shards": 2}
    run, result = traced_run(strategy, server=server, simulation={"faults": FAULTS})
    found = replay(run)
    assert found.mismatches == ()
    assert "worker-2-1" in found.members
    assert [w.member for w in result.workers if w.gone] == ["worker-1-0", "worker-2-0"]


def test_a_job_that_ends_by_the_samples_of_all_comes_out_the_same(traced_run):
    run, _ = traced_run(gossip("Pairwise", overlap=True), budget={"samples": 150})
    assert replay(run).mismatches == ()


# A log that is not what happened


def records(run):
    return list(EventTail(run / "events.jsonl").new())


def published(run):
    return [r for r in records(run) if isinstance(r, Called) and r.call == "published"]


def is_of_server(record):
    return record.source.startswith("server-")


def rewrite(run, change):
    """Replace every record by what `change` makes of it; None leaves it out."""
    changed = [change(record) for record in records(run)]
    lines = [msgspec.json.encode(record) + b"\n" for record in changed if record is not None]
    (run / "events.jsonl").write_bytes(b"".join(lines))
    assert list(EventTail(run / "events.jsonl").new()) == [r for r in changed if r is not None]


def is_call(record, call, source="worker-1-0", **fields):
    return (
        isinstance(record, Called)
        and (record.call, record.source) == (call, source)
        and all(getattr(record, name) == value for name, value in fields.items())
    )


def test_a_publication_that_differs_is_found_and_named(traced_run):
    run, _ = traced_run(GOSSIP)

    def change(record: Record):
        if is_call(record, "published", step=7):
            return msgspec.structs.replace(record, digest="0" * 16)
        return record

    rewrite(run, change)
    assert replay(run).mismatches == (Mismatch("worker-1-0", 7),)


def test_an_answer_that_came_a_step_earlier_than_told_makes_all_later_models_differ(traced_run):
    run, _ = traced_run(GOSSIP)
    answers = [record for record in records(run) if is_call(record, "answer")]

    def change(record: Record):
        return None if record == answers[0] else record

    rewrite(run, change)
    first = replay(run).mismatches[0]
    assert first.member == "worker-1-0"
    assert first.step > 1


def test_a_learning_rate_that_was_another_is_found(traced_run):
    run, _ = traced_run(GOSSIP)

    def change(record: Record):
        if is_call(record, "published", step=3):
            return msgspec.structs.replace(record, learning_rate=0.0125)
        return record

    rewrite(run, change)
    assert replay(run).mismatches[0] == Mismatch("worker-1-0", 3)


def test_a_servers_centre_that_differs_is_found_and_named(traced_run):
    run, _ = traced_run(STRATEGIES["parameter server, blocking"])

    def change(record: Record):
        if is_call(record, "published", "server-0-0", step=5):
            return msgspec.structs.replace(record, digest="0" * 16)
        return record

    rewrite(run, change)
    assert replay(run).mismatches == (Mismatch("server-0-0", 5),)


@pytest.mark.parametrize("exchange", ["Pull", "Push", "Pairwise"])
def test_a_log_that_tells_of_what_nobody_sent_is_refused_and_names_who_waits(traced_run, exchange):
    run, _ = traced_run(gossip(exchange, overlap=True))
    call = {"Pull": "answer", "Push": "message", "Pairwise": "message"}[exchange]
    field = {"Pull": "step"}.get(exchange, "number")
    first = next(record for record in records(run) if is_call(record, call))

    def change(record: Record):
        return msgspec.structs.replace(record, **{field: 999}) if record == first else record

    rewrite(run, change)
    with pytest.raises(RunError, match=r"something that nobody sent: .*worker-1-0.* wait"):
        replay(run)


def test_the_log_of_a_run_that_was_cut_off_is_replayed_as_far_as_it_goes(traced_run):
    run, _ = traced_run(STRATEGIES["parameter server, blocking"])
    kept = records(run)
    cut = next(i for i, r in enumerate(kept) if is_call(r, "message", "server-0-0") and i > 200)
    seen = iter(range(len(kept)))
    rewrite(run, lambda record: record if next(seen) <= cut else None)
    found = replay(run)
    assert found.mismatches == ()
    assert found.published > 0


# What is not replayed


def test_a_run_that_was_not_traced_is_refused_with_the_way_to_trace_one(traced_run):
    run, _ = traced_run(GOSSIP)
    rewrite(run, lambda record: None if isinstance(record, Called) else record)
    with pytest.raises(RunError, match="not traced; run it with `gossip run --trace`"):
        replay(run)


@pytest.mark.parametrize("kind", ["AllReduce", "LocalSGD"])
def test_a_run_that_averages_collectively_is_refused(traced_run, kind):
    run, _ = traced_run({"type": kind})
    with pytest.raises(RunError, match=rf"{kind} averages in torch\.distributed"):
        replay(run)


def test_a_run_whose_server_was_replaced_is_refused(traced_run):
    run, _ = traced_run(STRATEGIES["elastic averaging"])

    def change(record: Record):
        if record.source == "server-0-0":
            return msgspec.structs.replace(record, source="server-0-1")
        return record

    rewrite(run, change)
    with pytest.raises(RunError, match="server-0-1 took a lost server's place"):
        replay(run)


def test_an_unknown_call_is_refused_and_named(traced_run):
    run, _ = traced_run(GOSSIP)

    def change(record: Record):
        if is_call(record, "step"):
            return msgspec.structs.replace(record, call="leap")
        return record

    rewrite(run, change)
    with pytest.raises(RunError, match="worker-1-0: the log has an unknown call 'leap'"):
        replay(run)
