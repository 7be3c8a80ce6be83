from contextlib import closing

import pytest
import torch
from torch import nn

from gossip_trainer.calibration import transfer
from gossip_trainer.calibration.transfer import Offer, offer_at, pull_repeatedly
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.transport.errors import HandshakeRefused, PeerLost


def layout(width: int):
    return layout_of(nn.Linear(width, width))


def test_pulls_and_requests_in_between_are_timed(monkeypatch):
    monkeypatch.setattr(transfer, "MAX_PULLS", 6)
    model = layout(16)
    with closing(offer_at(("127.0.0.1", 0), model)) as server:
        found = pull_repeatedly(server.address, model)

    assert found.num_bytes == model.num_bytes
    assert len(found.pulls) == len(found.asks) == 6
    assert min(*found.pulls, *found.asks) > 0


def test_a_slow_link_is_not_pulled_over_for_ever(monkeypatch):
    monkeypatch.setattr(transfer, "ENOUGH_SECONDS", 0.0)
    model = layout(16)
    with closing(offer_at(("127.0.0.1", 0), model)) as server:
        found = pull_repeatedly(server.address, model)

    assert len(found.pulls) == transfer.MIN_PULLS


def test_every_pull_finds_digests_that_are_yet_to_be_made():
    offer = Offer(1000)
    first = offer.pin().digests.of(0, offer.memory)
    torch.frombuffer(bytearray(offer.memory), dtype=torch.uint8)

    assert first == offer.pin().digests.of(0, offer.memory)
    assert offer.pin().digests.of(0, memoryview(b"\1" * 1000)) != first


def test_one_that_calibrates_another_model_is_refused():
    with (
        closing(offer_at(("127.0.0.1", 0), layout(16))) as server,
        pytest.raises(HandshakeRefused, match="bytes"),
    ):
        pull_repeatedly(server.address, layout(8))


def test_nobody_there_is_an_error_of_the_network():
    with closing(offer_at(("127.0.0.1", 0), layout(16))) as server:
        address = server.address

    with pytest.raises(PeerLost):
        pull_repeatedly(address, layout(16))
