import math

import pytest
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.metrics import processes
from gossip_api.names import Role
from gossip_trainer.observability.events import Fenced
from gossip_trainer.process.metrics.page import OWN_METRICS, Total, leave_page


def names(page):
    """Return the page's metrics, those of the process itself left out."""
    families = text_string_to_metric_families(page.write().decode())
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if not family.name.startswith("process_")
    }


@pytest.mark.parametrize("role", Role)
def test_a_page_has_every_metric_of_its_role_from_the_start_and_no_other(make_page, role):
    expected = {metric.name for metric in (*processes.COMMON, *OWN_METRICS[role])}
    assert names(make_page(role)) == expected


@pytest.mark.parametrize("role", Role)
def test_promtool_finds_no_fault_with_it(make_page, role):
    check_metrics(make_page(role).write())


@pytest.mark.parametrize("role", Role)
def test_the_process_tells_of_itself(make_page, role):
    assert b"\nprocess_resident_memory_bytes " in make_page(role).write()


class Source:
    def __init__(self):
        self.records, self.refreshed = [], 0

    def note(self, record):
        self.records.append(record)

    def refresh(self):
        self.refreshed += 1


def test_a_source_hears_of_every_record_and_of_every_page(make_page):
    page, source, record = make_page(Role.SERVER), Source(), Fenced(successor="server-0-1")
    page.add(source)
    page.note(record)
    page.write()
    page.write()
    assert (source.records, source.refreshed) == ([record], 2)


def test_a_total_brings_its_counter_to_where_it_is(make_page, read):
    page = make_page(Role.SERVER)
    total = Total(page.instruments.counter(processes.MESSAGES))
    for value in (3, 3, 10):
        total.set(value)
        assert read(page, "gossip_server_messages_total") == value


def test_what_is_not_known_is_no_number_instead_of_zero(make_page, read):
    assert math.isnan(read(make_page(Role.EVALUATOR), "gossip_evaluator_loss"))


def test_the_last_page_is_left_where_somebody_asked_for_it(make_page, tmp_path):
    page = make_page(Role.WORKER)
    leave_page(None, page)
    leave_page(tmp_path / "worker-0-0.prom", page)
    assert [path.name for path in tmp_path.iterdir()] == ["worker-0-0.prom"]
    check_metrics((tmp_path / "worker-0-0.prom").read_bytes())


def test_a_last_page_that_cannot_be_left_is_only_logged(make_page, tmp_path, caplog):
    leave_page(tmp_path / "nowhere" / "worker-0-0.prom", make_page(Role.WORKER))
    assert "the last metrics cannot be left" in caplog.text
