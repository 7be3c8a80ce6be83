"""The Prometheus that other tests ask: it scrapes, evaluates rules, and says what it refuses."""

from contextlib import closing

import pytest
from operators import LOOPBACK
from prometheus import RefusedError, check_metrics, running, scrape
from testbed.waiting import wait_for

from gossip_api.metrics.instruments import CONTENT_TYPE
from gossip_trainer.observability.page_server import Page, PageServer

pytestmark = pytest.mark.heavy

RULES = """
groups:
  - name: example
    rules:
      - alert: TooMany
        expr: apples > 3
        labels: {severity: warning}
"""


@pytest.fixture
def page():
    """The address of something with five apples."""

    body = b"# HELP apples There.\n# TYPE apples gauge\napples 5\n"
    with closing(PageServer(LOOPBACK, 0, lambda _path: Page(body, CONTENT_TYPE))) as server:
        yield server.address


def test_it_scrapes_what_it_is_told_to_and_an_alert_fires(tmp_path, page):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    with running(
        tmp_path / "prometheus", [scrape("fruit", page, labels={"role": "a"})], [rules]
    ) as found:
        found.wait_scraped()
        (sample,) = found.query("apples")
        assert (sample.value, sample.labels["role"]) == (5, "a")
        at = sample.points[0][0]
        (series,) = found.query_range("apples + 1", start=at, end=at)
        assert series.points == ((at, 6),)
        assert found.value("pears") is None
        fired = wait_for(lambda: found.alerts("firing"), "the alert", seconds=15)
        assert [(one["alertname"], one["severity"]) for one in fired] == [("TooMany", "warning")]
        with pytest.raises(RefusedError, match="parse error"):
            found.query("sum by (")


def test_a_configuration_that_it_refuses_is_an_error_with_its_words(tmp_path):
    refused = running(tmp_path, [{"job_name": "fruit", "colour": "red"}])
    with pytest.raises(RefusedError, match="colour"), refused:
        pass


def test_promtool_tells_a_good_page_from_a_bad_one():
    good = "# HELP apples_total Eaten.\n# TYPE apples_total counter\napples_total 5\n"
    check_metrics(good)
    with pytest.raises(RefusedError, match="_total"):
        check_metrics(good.replace("apples_total", "apples"))
