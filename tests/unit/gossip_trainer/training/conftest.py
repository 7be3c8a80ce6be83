"""An exchange whose client waits for the test to open its gate."""

from contextlib import closing

import pytest
from exchange_driver import Client, Driver

from gossip_trainer.training import doubts, postman


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def open_client(client):
    client.gate.set()
    return client


@pytest.fixture
def exchange(client):
    with closing(Driver(client)) as driver:
        yield driver


@pytest.fixture
def hasty(monkeypatch):
    """Pauses that a test can wait for."""
    monkeypatch.setattr(doubts, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(doubts, "LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(postman, "INSIST_SECONDS", 0.01)
