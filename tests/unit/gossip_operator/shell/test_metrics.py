"""The operator's page for Prometheus."""

from itertools import chain

import pytest
from objects import raw_job
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.metrics import jobs, operator
from gossip_operator.shell.metrics import Metrics
from gossip_operator.shell.projections import job_view


def families(page):
    return {family.name: family for family in text_string_to_metric_families(page.decode())}


def value(metrics, name, **labels):
    """Return the sum of all samples of that name with these labels."""
    found = families(metrics.page()).values()
    samples = chain.from_iterable(family.samples for family in found)
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def own(page):
    return {name for name in families(page) if name.startswith("gossip_")}


def test_the_page_has_every_metric_of_the_operator_and_no_other():
    names = {metric.name.removesuffix("_total") for metric in operator.OPERATOR}
    assert own(Metrics().page()) == names


def test_jobs_are_told_of_as_they_are_when_the_page_is_written():
    metrics, found = Metrics(), [job_view(raw_job())]
    metrics.show_jobs(lambda: found)
    check_metrics(metrics.page())
    (created,) = families(metrics.page())[jobs.CREATED.name].samples
    assert created.labels == {"namespace": "default", "job_name": "digits"}
    found.clear()
    assert not {name for name in own(metrics.page()) if name.startswith("gossip_job_")}


@pytest.mark.parametrize(("status", "errors"), [(0, 1), (500, 1), (403, 1), (404, 0), (409, 0)])
def test_an_absent_or_existing_object_is_no_error(status, errors):
    metrics = Metrics()
    metrics.note_request("get", "pods", status, 0.1)
    request = {"verb": "get", "code": str(status), "resource": "pods"}
    assert value(metrics, operator.REQUESTS.name, **request) == 1
    assert value(metrics, operator.REQUEST_ERRORS.name) == errors
