"""A traced run of compressed exchanges done again comes out the same to the bit."""

import pytest

from gossip_trainer.replay.replay import replay

FAULTS = [{"at": "3300ms", "crash": 2}, {"at": "4100ms", "leave": 1}, {"at": "6s", "join": 2}]


def gossip(exchange, kind, **settings):
    return {
        "type": "Gossip",
        "gossip": {"exchange": exchange, "compression": {"type": kind}, **settings},
    }


def elastic(kind, **settings):
    return {
        "type": "ElasticAveraging",
        "elasticAveraging": {"compression": {"type": kind}, **settings},
    }


STRATEGIES = {
    "pull, rounded": gossip("Pull", "BFloat16"),
    "pull, a fragment": gossip("Pull", "Partial", overlap=False),
    "push": gossip("Push", "BFloat16"),
    "pairwise": gossip("Pairwise", "BFloat16"),
    "push-sum": gossip("PushSum", "BFloat16"),
    "elastic averaging, rounded": elastic("BFloat16", overlap=False),
    "elastic averaging, whole numbers": elastic("Int8"),
    "NoLoCo": {
        "type": "LocalSGD",
        "localSGD": {
            "period": 3,
            "averaging": "Gossip",
            "partnerDeadline": "1s",
            "compression": {"type": "BFloat16"},
        },
    },
}


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_every_compressed_strategy_comes_out_the_same_with_those_that_come_and_go(
    traced_run, strategy
):
    server = {"shards": 2} if strategy["type"] == "ElasticAveraging" else None
    run, result = traced_run(strategy, server=server, simulation={"faults": FAULTS})
    found = replay(run)
    assert found.mismatches == ()
    assert "worker-2-1" in found.members
    assert sum(worker.exchanges for worker in result.workers) > 2


def received_bytes(traced_run, strategy):
    """Bytes that an exchange brings."""
    _, result = traced_run(strategy)
    workers = result.workers
    return sum(w.received_bytes for w in workers) / sum(w.exchanges for w in workers)


def test_an_exchange_brings_half_the_bytes_rounded_and_a_quarter_as_a_fragment(traced_run):
    whole = received_bytes(traced_run, {"type": "Gossip"})
    assert received_bytes(traced_run, gossip("Pull", "BFloat16")) == whole / 2
    fragment = received_bytes(traced_run, gossip("Pull", "Partial", compression=QUARTERS))
    assert fragment == whole / 4


QUARTERS = {"type": "Partial", "fragments": 4}
