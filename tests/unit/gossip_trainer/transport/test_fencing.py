import pytest

from gossip_trainer.transport.errors import Outdated, PeerLost
from gossip_trainer.transport.fencing import Fence


def test_of_one_place_the_highest_incarnation_known_is_the_newest():
    fence = Fence("worker-0-0")
    for member in ("worker-3-1", "worker-3-2", "worker-3-0"):
        fence.learn(member)
    assert fence.successor("worker-3-1") == "worker-3-2"
    assert fence.successor("worker-3-2") is None
    assert fence.successor("worker-3-5") is None


def test_places_of_other_roles_and_ranks_are_others():
    fence = Fence("worker-0-0")
    fence.learn("server-3-7")
    fence.learn("worker-4-7")
    assert fence.successor("worker-3-0") is None


def test_who_learns_of_its_own_successor_is_told_once():
    told = []
    fence = Fence("worker-3-1", told.append)
    for member in ("worker-3-0", "worker-3-1", "worker-2-9", "worker-3-2", "worker-3-3"):
        fence.learn(member)
    assert told == ["worker-3-2"]


@pytest.mark.parametrize("nobody", ["", "launcher", "worker-3"])
def test_what_is_no_members_name_tells_nothing(nobody):
    fence = Fence("worker-0-0")
    fence.learn(nobody)
    assert fence.successor(nobody) is None


def test_an_outdated_client_is_refused_and_told_who_has_its_place(world, published, into):
    knowing, learning = Fence("worker-0-0"), []
    knowing.learn("worker-1-3")
    server = world.serve(published, fence=knowing)
    client = world.client(member="worker-1-0", fence=Fence("worker-1-0", learning.append))
    with pytest.raises(Outdated, match="worker-1-0 was replaced by worker-1-3"):
        client.pull(server.address, into)
    assert learning == ["worker-1-3"]


def test_a_successors_own_handshake_is_enough_for_its_predecessor_to_be_refused(
    world, published, into
):
    server = world.serve(published)
    old, new = world.client(member="worker-1-0"), world.client(member="worker-1-1")
    old.pull(server.address, into)
    new.status(server.address)
    with pytest.raises(Outdated):  # over the connection that was kept, then over a new one
        old.pull(server.address, into)
    new.pull(server.address, into)


def test_an_outdated_servers_clients_learn_nothing_that_harms_them(world, published, into):
    fence = Fence("worker-1-1")
    server = world.serve(published, member="worker-0-0")
    world.client(member="worker-1-1", fence=fence).pull(server.address, into)
    assert fence.successor("worker-1-1") is None


def test_a_server_that_meets_its_own_successor_learns_of_it(world, published, into):
    learning = []
    server = world.serve(published, member="worker-0-0", fence=Fence("worker-0-0", learning.append))
    world.client(member="worker-0-1").status(server.address)
    assert learning == ["worker-0-1"]


def test_who_serves_at_an_address_can_be_asked(world, published):
    server = world.serve(published, member="server-2-1")
    assert world.client().who(server.address) == "server-2-1"
    published.is_published = False
    assert world.client().who(server.address) == "server-2-1"


def test_who_serves_is_asked_anew_each_time(world, published):
    server, client = world.serve(published), world.client()
    address = server.address
    client.who(address)
    server.close()
    with pytest.raises(PeerLost):
        client.who(address)
