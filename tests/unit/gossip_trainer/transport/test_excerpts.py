"""A reader asks for less than the whole snapshot, over loopback."""

import pytest

from gossip_trainer.compression.excerpt import Excerpt
from gossip_trainer.transport.chunks import CHUNK_BYTES
from gossip_trainer.transport.errors import GossipTrainerError, PeerLost, ProtocolError

VALUE_BYTES = 4


def excerpts(memory, excerpt):
    return excerpt.of_bytes(memory, VALUE_BYTES)


@pytest.mark.parametrize(
    "excerpt", [Excerpt(3, 4), Excerpt(10, 10 + CHUNK_BYTES // 2), Excerpt(7, 900, seed=5)], ids=str
)
def test_a_pull_of_an_excerpt_brings_its_bytes_and_the_snapshots_header(world, published, excerpt):
    server = world.serve(published, excerpts=excerpts)
    expected = excerpts(published.memory, excerpt)
    into = memoryview(bytearray(expected.nbytes))
    assert world.client().pull(server.address, into, excerpt=excerpt) == published.header
    assert into == expected
    assert published.released.acquire(timeout=5)
    assert server.sent_bytes == expected.nbytes


def test_a_server_goes_on_to_serve_the_whole(world, published, into):
    server = world.serve(published, excerpts=excerpts)
    client = world.client()
    client.pull(server.address, memoryview(bytearray(8)), excerpt=Excerpt(0, 2))
    client.pull(server.address, into)
    assert into == published.memory


@pytest.mark.parametrize("excerpt", [Excerpt(-1, 3), Excerpt(5, 5), Excerpt(0, 1 << 40)], ids=str)
def test_an_excerpt_that_is_not_there_ends_the_connection_and_nothing_is_allocated(
    world, published, excerpt
):
    server = world.serve(published, excerpts=excerpts)
    with pytest.raises(PeerLost, match=r"closed|reset"):
        world.client().pull(server.address, memoryview(bytearray(8)), excerpt=excerpt)
    assert published.released.acquire(timeout=5)


def test_a_seed_that_is_none_ends_the_connection(world, published):
    server = world.serve(published, excerpts=excerpts)
    with pytest.raises(GossipTrainerError):
        world.client().pull(
            server.address, memoryview(bytearray(8)), excerpt=Excerpt(0, 4, seed=-1)
        )
    assert published.released.acquire(timeout=5)


def test_who_gives_no_excerpts_hangs_up(world, published):
    server = world.serve(published)
    with pytest.raises(PeerLost, match=r"closed|reset"):
        world.client().pull(server.address, memoryview(bytearray(8)), excerpt=Excerpt(0, 2))


def test_an_excerpt_of_another_length_than_there_is_room_for_is_refused(world, published):
    server = world.serve(published, excerpts=excerpts)
    with pytest.raises(ProtocolError, match="announces SNAPSHOT with"):
        world.client().pull(server.address, memoryview(bytearray(12)), excerpt=Excerpt(0, 2))
