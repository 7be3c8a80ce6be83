import msgspec
import pytest

from gossip_api.names import Role
from gossip_trainer.algorithms.effects import Rank
from gossip_trainer.membership.endpoint_slices import EndpointSlice, roster_from


def endpoint(pod, ip="10.0.0.1", *, kind="Pod", node="node-1", zone="zone-a", **conditions):
    """Return an endpoint as the API server writes it."""
    told = {"ready": True, "serving": True, "terminating": False} | conditions
    return {
        "addresses": [ip],
        "conditions": {key: value for key, value in told.items() if value is not None},
        "targetRef": {"kind": kind, "name": pod, "namespace": "team", "uid": "4711"},
        "nodeName": node,
        "zone": zone,
    }


def roster(*slices, host="10.0.0.9", family="IPv4"):
    decoded = [
        msgspec.convert(
            {"metadata": {"name": f"s{i}"}, "addressType": family, "endpoints": each},
            EndpointSlice,
        )
        for i, each in enumerate(slices)
    ]
    return roster_from(decoded, "mnist", host=host, port=29400)


def only(found):
    (endpoint,) = found.endpoints
    return endpoint


def test_a_pod_is_the_member_that_its_name_tells_at_the_jobs_port():
    found = only(roster([endpoint("mnist-worker-3-1", "10.1.2.3")]))
    assert (found.role, found.rank, found.incarnation) == (Role.WORKER, 3, 1)
    assert found.address == ("10.1.2.3", 29400)
    assert found.store_port == 29401


def test_it_knows_node_and_zone():
    found = only(roster([endpoint("mnist-server-0-0", node="n7", zone="z2")]))
    assert (found.node, found.zone) == ("n7", "z2")


@pytest.mark.parametrize(
    ("conditions", "is_open", "is_known"),
    [
        pytest.param({}, True, True, id="serving"),
        pytest.param({"serving": False}, False, True, id="ready says nothing, serving does"),
        pytest.param({"terminating": True}, False, True, id="terminating and still serving"),
        pytest.param(
            {"terminating": True, "serving": False}, False, True, id="terminating, unready"
        ),
        pytest.param({"serving": None, "ready": False}, False, True, id="only ready is told"),
        pytest.param({"serving": None, "ready": None}, True, True, id="nothing is told"),
    ],
)
def test_new_exchanges_are_begun_only_with_what_serves_and_does_not_terminate(
    conditions, is_open, is_known
):
    found = roster([endpoint("mnist-worker-0-0", **conditions)])
    assert (0 in found.workers()) is is_open
    assert (found.find(Rank(0)) is not None) is is_known


@pytest.mark.parametrize(
    "foreign",
    [
        endpoint("other-worker-0-0"),
        endpoint("mnist"),
        endpoint("mnist-worker-0"),
        endpoint("mnist-worker-0-0-x"),
        endpoint("mnist-worker-0-0", kind="Node"),
        endpoint("mnist-worker-0-0") | {"addresses": []},
        endpoint("mnist-worker-0-0") | {"targetRef": None},
    ],
)
def test_what_is_no_pod_of_this_job_is_passed_over(foreign):
    assert roster([foreign]).endpoints == ()


def test_all_slices_count_and_empty_ones_do_no_harm():
    found = roster([endpoint("mnist-worker-1-0")], None, [endpoint("mnist-worker-0-0")])
    assert list(found.workers()) == [0, 1]


@pytest.mark.parametrize("swapped", [False, True])
def test_an_endpoint_in_two_slices_leaves_if_one_says_so_and_serves_if_one_says_so(swapped):
    one = [endpoint("mnist-worker-0-0", terminating=True, serving=False)]
    two = [endpoint("mnist-worker-0-0")]
    found = only(roster(two, one) if swapped else roster(one, two))
    assert (found.serving, found.leaving) == (True, True)


@pytest.mark.parametrize(
    ("older", "newer", "holds_the_place"),
    [
        pytest.param({}, {}, "worker-2-1", id="both serve"),
        pytest.param({"terminating": True}, {}, "worker-2-1", id="the older one leaves"),
        pytest.param(
            {"terminating": True}, {"serving": False}, "worker-2-0", id="the newer one is starting"
        ),
        pytest.param(
            {"serving": False}, {"serving": False}, "worker-2-1", id="neither of them serves"
        ),
    ],
)
def test_the_highest_incarnation_has_the_place_as_soon_as_it_serves(older, newer, holds_the_place):
    found = roster([endpoint("mnist-worker-2-1", **newer), endpoint("mnist-worker-2-0", **older)])
    assert found.find(Rank(2)).name == holds_the_place


@pytest.mark.parametrize(("host", "family"), [("10.0.0.9", "IPv4"), ("fd00::9", "IPv6")])
def test_of_two_ip_families_the_own_one_is_used(host, family):
    other = "IPv6" if family == "IPv4" else "IPv4"
    pods = [endpoint("mnist-worker-0-0")]
    assert roster(pods, host=host, family=family).workers()
    assert not roster(pods, host=host, family=other).workers()
