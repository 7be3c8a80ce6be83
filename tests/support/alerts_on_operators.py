"""Cases of the alerts about the operator."""

from alert_case import Case, Series, Values, buckets, one, rising

from gossip_api.metrics import operator
from gossip_api.metrics.metric import Metric

WHERE = {"namespace": "gossip-system"}


def replica(metric: Metric, values: Values, *, name: str = "a", **own: str) -> Series:
    """Return what one replica tells of itself."""
    assert set(own) <= set(metric.labels), metric.name
    return one(metric.name, WHERE | {"instance": name} | own, values)


def counted(metric: Metric, label: str, **each_minute: float) -> Series:
    """Return a counter that grows so fast for each value of a label."""
    series: Series = {}
    for value, number in each_minute.items():
        series |= replica(metric, rising(number), **{label: value})
    return series


def answers(**each_minute: float) -> Series:
    """Return requests by the code of their answer, which follows `_`."""
    by_code = {code.removeprefix("_"): number for code, number in each_minute.items()}
    return counted(operator.REQUESTS, "code", **by_code)


def waited(each_minute: dict[float, float]) -> Series:
    """Return how long jobs waited to be looked at."""
    return buckets(operator.QUEUE_SECONDS, each_minute, WHERE | {"instance": "a"})


CASES = (
    Case(
        title="the only replica goes for a while",
        alert="GossipOperatorDown",
        series=replica(operator.INFO, lambda m: None if 20 <= m < 60 else 1),
        since=20,
        until=60,
        severity="critical",
        labels={},
    ),
    Case(
        title="it is back in time",
        alert="GossipOperatorDown",
        series=replica(operator.INFO, lambda m: None if 20 <= m < 24 else 1),
    ),
    Case(
        title="one replica of two goes",
        alert="GossipOperatorDown",
        series=replica(operator.INFO, lambda m: None if m >= 20 else 1)
        | replica(operator.INFO, 1, name="b"),
    ),
    Case(
        title="both replicas stand by for a while",
        alert="GossipOperatorNoLeader",
        series=replica(operator.LEADER, lambda m: float(not 20 <= m < 60))
        | replica(operator.LEADER, 0, name="b"),
        since=20,
        until=60,
        severity="critical",
        labels=WHERE,
    ),
    Case(
        title="the other takes over",
        alert="GossipOperatorNoLeader",
        series=replica(operator.LEADER, lambda m: float(m < 20))
        | replica(operator.LEADER, lambda m: float(m > 20), name="b"),
    ),
    Case(
        title="an eighth of the looks fails",
        alert="GossipOperatorErrors",
        series=counted(operator.RECONCILES, "result", success=70, error=10),
        since=1,
        until=100,
        labels=WHERE,
        value="12.5%",
    ),
    Case(
        title="one look in eleven fails",
        alert="GossipOperatorErrors",
        series=counted(operator.RECONCILES, "result", success=100, error=10),
    ),
    Case(
        title="nothing is to be done",
        alert="GossipOperatorErrors",
        series=counted(operator.RECONCILES, "result", success=0, error=0),
    ),
    Case(
        title="requests fail in all ways that the API server has",
        alert="GossipOperatorRequestsFailing",
        series=answers(_200=80, _0=5, _401=5, _429=5, _503=5),
        since=1,
        until=100,
        labels=WHERE,
        value="20%",
    ),
    Case(
        title="requests are refused for the job's own reasons",
        alert="GossipOperatorRequestsFailing",
        series=answers(_200=50, _403=20, _404=20, _409=10),
    ),
    Case(
        title="one in eleven is throttled",
        alert="GossipOperatorRequestsFailing",
        series=answers(_200=100, _429=10),
    ),
    Case(
        title="a tenth of the jobs waits for up to half a minute",
        alert="GossipOperatorQueueSlow",
        series=waited({1.0: 90, 30.0: 10}),
        since=1,
        until=100,
        labels=WHERE,
        value="20",
    ),
    Case(
        title="a tenth of the jobs waits for up to ten seconds",
        alert="GossipOperatorQueueSlow",
        series=waited({1.0: 90, 10.0: 10}),
    ),
    Case(
        title="only one in fifty waits longer",
        alert="GossipOperatorQueueSlow",
        series=waited({1.0: 98, 30.0: 2}),
    ),
    Case(
        title="most pods do not answer, or say what it does not understand",
        alert="GossipOperatorProbesFailing",
        series=counted(operator.PROBES, "result", ok=40, unreachable=40, invalid=20),
        since=1,
        until=100,
        labels=WHERE,
        value="60%",
    ),
    Case(
        title="half of the pods do not answer",
        alert="GossipOperatorProbesFailing",
        series=counted(operator.PROBES, "result", ok=50, unreachable=50),
    ),
)
