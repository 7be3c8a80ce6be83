import pytest

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, Roster
from gossip_trainer.membership.sources import open_roster

OWN = Endpoint(Role.WORKER, 0, 0, "10.0.0.1", 29400)


def open_it(peers):
    return open_roster(peers, own=OWN, who=lambda address: "", on_roster=lambda roster: None)


@pytest.mark.parametrize(
    "peers",
    [
        "",
        "directory:",
        "dns:",
        "static:a,b",
        "endpointslices:",
        "endpointslices:team/mnist",
        "endpointslices:/mnist-peers",
        "endpointslices:team/-peers",
    ],
)
def test_a_source_of_membership_nobody_knows_is_an_error_that_says_what_there_is(peers):
    with pytest.raises(MembershipError, match=r"must be directory:PATH, endpointslices:"):
        open_it(peers)


def test_a_directory_is_watched(tmp_path):
    roster = open_it(f"directory:{tmp_path / 'peers'}")
    roster.close()
    assert roster.roster == Roster()


def test_outside_of_a_pod_there_are_no_slices_and_the_error_says_what_to_do(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(MembershipError, match="or use dns:HOST"):
        open_it("endpointslices:team/mnist-peers")
