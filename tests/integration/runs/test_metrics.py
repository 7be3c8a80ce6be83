"""What whole runs tell Prometheus: scraped while they go on, and compared with their event logs."""

import http.client
import os
import signal
import threading
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from prometheus import check_metrics
from prometheus_client.parser import text_string_to_metric_families

from gossip_api.loading import parse_job
from gossip_api.metrics import jobs, processes
from gossip_trainer.launch.local_run import RunOptions, RunOutcome, run_locally
from gossip_trainer.launch.run_metrics import LAST_PAGE, RunMetrics
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import (
    Began,
    Evaluation,
    Progress,
    Record,
    Started,
    Stopping,
)

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(120)]

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
SCRAPE_SECONDS = 0.1
OF_ROLE = {
    "worker": (*processes.COMMON, *processes.WORKER),
    "server": (*processes.COMMON, *processes.SERVER),
    "evaluator": (*processes.COMMON, *processes.EVALUATOR),
}


class Page:
    """The samples of one scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }
        rising = ("counter", "histogram")
        self.rising = {
            (sample.name, frozenset(sample.labels.items()))
            for family in families
            for sample in family.samples
            if family.type in rising
        }

    def of(self, name, **labels):
        """Return the values of the series that have these labels at least."""
        return [
            value
            for (found, theirs), value in self.samples.items()
            if found == name and labels.items() <= dict(theirs).items()
        ]

    def one(self, name, **labels):
        (value,) = self.of(name, **labels)
        return value

    def names(self, prefix, **labels):
        return {
            name
            for name, theirs in self.samples
            if name.startswith(prefix) and labels.items() <= dict(theirs).items()
        }


@dataclass
class Scraped:
    """A run that is over, with the pages that were scraped meanwhile and the last one."""

    outcome: RunOutcome
    records: list[Record]
    pages: list[Page] = field(default_factory=list)
    last: Page | None = None

    def of(self, kind):
        return [record for record in self.records if isinstance(record, kind)]


def scrape(address: str) -> Page:
    host = address.removeprefix("http://").removesuffix("/metrics")
    with closing(http.client.HTTPConnection(host, timeout=10)) as line:
        line.request("GET", "/metrics")
        return Page(line.getresponse().read().decode())


@pytest.fixture(scope="module")
def scraped_run(tmp_path_factory):
    """Return a function that runs a job and scrapes it until its end."""

    def run(document: dict, also=lambda _records: None, **options) -> Scraped:
        out = tmp_path_factory.mktemp("run")
        job, over, pages = parse_job(yaml.safe_dump(document)), threading.Event(), []
        with closing(RunMetrics(job, out, 0)) as metrics:

            def keep_scraping():
                while not over.wait(SCRAPE_SECONDS):
                    pages.append(scrape(metrics.address))

            def watch(records):
                metrics.note(records)
                also(records)

            scraper = threading.Thread(target=keep_scraping)
            scraper.start()
            try:
                outcome = run_locally(job, RunOptions(out, metrics=True, **options), watch)
            finally:
                over.set()
                scraper.join()
            metrics.conclude(outcome.state)
        records = list(EventTail(out / "events.jsonl").new())
        return Scraped(outcome, records, pages, Page((out / LAST_PAGE).read_text()))

    return run


def digits(**parts: object) -> dict:
    """Return the digits job for two workers and a few seconds; `parts` replace its spec's."""
    document = yaml.safe_load((SAMPLES / "digits.yaml").read_text())
    document["spec"] |= {"workers": {"replicas": 2, "minReplicas": 1}, **parts}
    document["spec"]["training"]["budget"] = {"epochs": 40}
    return document


@pytest.fixture(scope="module")
def gossip(scraped_run):
    """A run of pull gossip that does not overlap, so that its workers wait as well."""
    gossip = {"exchange": "Pull", "period": 1, "overlap": False, "selection": "UniformOthers"}
    return scraped_run(digits(strategy={"type": "Gossip", "gossip": gossip}), shared_memory=False)


@pytest.fixture(scope="module")
def elastic(scraped_run):
    """A run of elastic averaging with two shards."""
    strategy = {"type": "ElasticAveraging", "elasticAveraging": {"period": 2}}
    return scraped_run(digits(strategy=strategy, server={"shards": 2}))


@pytest.fixture(scope="module")
def together(scraped_run):
    """A run of all-reduce."""
    strategy = {"type": "AllReduce", "allReduce": {"allowPlaintext": True}}
    return scraped_run(digits(strategy=strategy))


@pytest.fixture(scope="module", params=["gossip", "elastic", "together"])
def run(request):
    return request.getfixturevalue(request.param)


def while_training(run):
    """Return the pages on which both workers had taken steps, before the job's end."""
    end = min(record.time for record in run.of(Stopping))
    return [
        page
        for page in run.pages
        if len(steps := page.of("gossip_worker_last_step_timestamp_seconds")) == 2
        and all(0 < at < end for at in steps)
    ]


def test_the_run_goes_well_and_is_scraped_while_it_trains(run):
    assert run.outcome.state == "succeeded"
    assert len(while_training(run)) >= 3


def test_promtool_finds_no_fault_with_any_page(run):
    for page in (run.pages[0], run.pages[len(run.pages) // 2], run.last):
        check_metrics(page.text)


def test_each_role_tells_the_registrys_metrics_and_no_other(run):
    roles = {dict(labels).get("role") for _, labels in run.last.samples} - {None}
    for role in roles:
        expected = {name for metric in OF_ROLE[role] for name in metric.series}
        assert run.last.names("gossip_", role=role) == expected


def test_series_have_the_labels_of_the_registry_with_the_values_it_lists(run):
    told = [(m, processes.IDENTITY) for metrics in OF_ROLE.values() for m in metrics]
    told += [(metric, jobs.IDENTITY) for metric in jobs.JOB]
    known = {name: (metric, identity) for metric, identity in told for name in metric.series}
    for name, labels in run.last.samples:
        if name.startswith("process_"):
            continue
        (metric, identity), found = known[name], dict(labels)
        extra = {"le"} if name.endswith("_bucket") else set()
        assert set(found) == {*identity, *metric.labels, *extra}
        assert all(found[label] in values for label, values in metric.labels.items() if values)


def test_counters_only_rise_from_page_to_page(run):
    pages = [*run.pages, run.last]
    for before, after in pairwise(pages):
        fallen = [s for s in before.rising if after.samples.get(s, -1.0) < before.samples[s]]
        assert fallen == []


def test_what_the_figures_say_while_workers_train_is_known(run):
    # Near the end one is done before the other, which then has no peer any more.
    page = [
        p for p in while_training(run) if p.of("gossip_process_peers", role="worker") == [1, 1]
    ][-1]
    for rank in ("0", "1"):
        for name in ("loss", "gradient_norm", "learning_rate", "push_sum_weight"):
            assert page.one(f"gossip_worker_{name}", rank=rank) > 0
    assert page.one("gossip_job_state", state="Running") == 1
    assert 0 < page.one("gossip_job_progress_ratio") <= 1


def test_the_phases_add_up_to_the_time_from_the_beginning_to_the_end_of_training(run):
    for rank in range(2):
        worker = f"worker-{rank}-0"
        (began,) = [record.time for record in run.of(Began) if record.source == worker]
        (ended,) = [record.time for record in run.of(Stopping) if record.source == worker]
        phases = partial(run.last.of, "gossip_worker_phase_seconds_total", rank=str(rank))
        # Outside the loop lie the seed's publication and the optimizer's making.
        assert 0 <= (ended - began) - sum(phases()) < 0.5
        assert sum(phases(phase="compute")) > 0


def test_one_that_does_not_overlap_spends_some_of_its_time_waiting(gossip):
    assert min(gossip.last.of("gossip_worker_phase_seconds_total", phase="wait")) > 0


def newest_report(run, worker):
    return [record for record in run.of(Progress) if record.source == worker][-1]


def test_in_the_end_the_counters_are_those_of_the_event_log(run):
    for rank in range(2):
        told, one = newest_report(run, f"worker-{rank}-0"), partial(run.last.one, rank=str(rank))
        exchanges = partial(one, "gossip_worker_exchanges_total")
        assert exchanges(result="completed") == told.exchanges > 0
        assert exchanges(result="lost") == told.lost
        assert exchanges(result="skipped") == told.skipped
        assert one("gossip_worker_messages_total") == told.heard
        assert one("gossip_worker_step") == one("gossip_worker_steps_total") == told.step
        assert one("gossip_worker_samples_total") == told.samples
        transferred = partial(one, "gossip_worker_transferred_bytes_total")
        assert transferred(direction="received") == told.received_bytes > 0
        assert transferred(direction="sent") >= told.sent_bytes > 0  # the evaluator pulls once more
        assert one("gossip_worker_loss") == told.loss


def test_every_exchange_has_its_duration(run):
    for rank in ("0", "1"):
        one = partial(run.last.one, rank=rank)
        ended = sum(
            one("gossip_worker_exchanges_total", result=result) for result in ("completed", "lost")
        )
        # What was under way at the last boundary may end after it, and is taken in by nobody.
        assert one("gossip_worker_exchange_duration_seconds_count") - ended in {0, 1}
        assert one("gossip_worker_exchange_duration_seconds_sum") > 0


def test_every_model_that_came_has_its_age(gossip):
    for rank in ("0", "1"):
        one = partial(gossip.last.one, rank=rank)
        completed = one("gossip_worker_exchanges_total", result="completed")
        assert one("gossip_worker_staleness_steps_count") == completed


def test_the_evaluator_tells_of_the_last_of_its_evaluations(run):
    evaluations, one = run.of(Evaluation), partial(run.last.one, role="evaluator")
    final = evaluations[-1]
    assert one("gossip_evaluator_evaluations_total") == len(evaluations)
    assert one("gossip_evaluator_loss") == final.loss
    assert one("gossip_evaluator_accuracy_ratio") == final.accuracy > 0.9
    assert one("gossip_evaluator_consensus_distance") == final.consensus_distance
    assert one("gossip_evaluator_evaluation_duration_seconds_sum") == pytest.approx(
        sum(record.took for record in evaluations)
    )
    assert run.last.one("gossip_job_loss") == final.loss
    assert run.last.one("gossip_job_state", state="Succeeded") == 1
    assert run.last.one("gossip_job_workers", state="succeeded") == 2


def test_servers_have_taken_in_what_workers_have_sent(elastic):
    last = elastic.last
    done = sum(last.of("gossip_worker_exchanges_total", result="completed"))
    lost = sum(last.of("gossip_worker_exchanges_total", result="lost"))
    for shard in ("0", "1"):
        messages = last.one("gossip_server_messages_total", rank=shard)
        assert done / 2 <= messages <= done / 2 + lost  # each exchange is with one of two shards
        received = last.one(
            "gossip_server_transferred_bytes_total", role="server", rank=shard, direction="received"
        )
        assert received % messages == 0
        assert last.one("gossip_server_version", rank=shard) > 0


def test_a_mean_with_all_others_is_an_exchange(together):
    for rank in ("0", "1"):
        one = partial(together.last.one, rank=rank)
        steps = one("gossip_worker_steps_total")
        assert one("gossip_worker_exchanges_total", result="completed") == steps
        assert one("gossip_worker_generations_total") == 1


def test_a_successor_takes_its_predecessors_place_on_the_page(scraped_run):
    pids, done = {}, set()

    def kill_one_then_end_when_its_successor_trains(records):
        for record in records:
            if isinstance(record, Started):
                pids[record.source] = record.pid
            elif isinstance(record, Progress) and record.source not in done:
                done.add(record.source)
                if record.source == "worker-1-0":
                    os.kill(pids[record.source], signal.SIGKILL)
                if record.source == "worker-1-1":
                    signal.raise_signal(signal.SIGINT)

    document = digits()
    document["spec"]["training"]["budget"] = {"seconds": 100}
    run = scraped_run(document, kill_one_then_end_when_its_successor_trains, replace_lost=True)
    assert run.outcome.state == "interrupted"
    told = newest_report(run, "worker-1-1")
    assert run.last.one("gossip_worker_step", rank="1") == told.step
    assert run.last.one("gossip_worker_steps_total", rank="1") < told.step  # it copied a model
    assert run.last.one("gossip_job_restarts_total") == 1
    check_metrics(run.last.text)
