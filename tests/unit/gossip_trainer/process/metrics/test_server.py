from types import SimpleNamespace

import pytest

from gossip_api.names import Role
from gossip_trainer.process.metrics.server import ServerMetrics


@pytest.fixture
def shard():
    return SimpleNamespace(version=7, messages=9, received_bytes=900, sent_bytes=300)


@pytest.fixture
def page(make_page, shard):
    page = make_page(Role.SERVER)
    page.add(ServerMetrics(page.instruments, shard, lambda: 50))
    return page


def test_what_the_shard_counts_is_told_with_what_others_pulled(page, read):
    assert read(page, "gossip_server_version") == 7
    assert read(page, "gossip_server_messages_total") == 9
    transferred = "gossip_server_transferred_bytes_total"
    assert read(page, transferred, direction="received") == 900
    assert read(page, transferred, direction="sent") == 350


def test_every_page_reads_anew(page, read, shard):
    page.write()
    shard.messages, shard.version = 12, 10
    assert read(page, "gossip_server_messages_total") == 12
    assert read(page, "gossip_server_version") == 10
