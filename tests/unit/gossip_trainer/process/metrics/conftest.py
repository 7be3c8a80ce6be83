"""A page of metrics, read as Prometheus reads it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.names import Member
from gossip_trainer.process.metrics.page import MetricsPage
from gossip_trainer.process.standing import Standing


@pytest.fixture
def make_page():
    """Return a function that makes the page of a role."""
    return lambda role: MetricsPage(role, Standing(Member(role, 0, 0)))


@pytest.fixture
def read():
    """Return a function that reads one sample of a page; histograms by their samples' names."""

    def read(page, name, **labels):
        text = page.write().decode()
        samples = [s for m in text_string_to_metric_families(text) for s in m.samples]
        (found,) = [s.value for s in samples if (s.name, s.labels) == (name, labels)]
        return found

    return read
