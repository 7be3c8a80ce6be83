import asyncio

import pytest
from objects import raw_job, raw_pod

from gossip_operator.core.actions import Notice, Plan
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError, NotLeadingError
from gossip_operator.shell.inventory import Inventory
from gossip_operator.shell.metrics import Metrics
from gossip_operator.shell.mirror import Mirror
from gossip_operator.shell.projections import Key
from gossip_operator.shell.queue import WorkQueue
from gossip_operator.shell.reconcile import Reconciler

KEY = Key("default", "digits")
BUSY = Plan(notices=(Notice("Normal", "Finished", "over"),))


class Memory:
    """Stands for all that remembers something of a job."""

    def __init__(self):
        self.forgotten = []

    def forget(self, uid):
        self.forgotten.append(uid)

    def reports(self, uid):
        return {}

    def current(self, job, now):
        return ()


class Relist:
    serves_pod_monitors = True


class Carrier:
    def __init__(self):
        self.carried = []
        self.outcomes = []

    async def carry_out(self, job, plan):
        self.carried.append((job.uid, plan))
        outcome = self.outcomes.pop(0) if self.outcomes else True
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Bench:
    def __init__(self):
        self.queue = WorkQueue(first_pause_seconds=0.01)
        self.mirror = Mirror(self.queue.add)
        self.memory = Memory()
        self.carrier = Carrier()
        self.metrics = Metrics()
        self.seen = []
        self.plans = []
        self.reconciler = Reconciler(
            decide=self.decide,
            queue=self.queue,
            mirror=self.mirror,
            inventory=Inventory(self.queue.add),
            relist=Relist(),
            progress=self.memory,
            refusals=self.memory,
            recorder=self.memory,
            applier=self.carrier,
            metrics=self.metrics,
            clock=lambda: 5.0,
        )

    def decide(self, observed):
        self.seen.append(observed)
        plan = self.plans.pop(0) if self.plans else Plan()
        if isinstance(plan, Exception):
            raise plan
        return plan

    async def work(self, seconds=0.1):
        async with asyncio.timeout(30):
            working = asyncio.ensure_future(self.reconciler.work())
            await asyncio.sleep(seconds)
            self.queue.close()
            await working

    def count(self, result):
        return self.metrics.reconciles.labels(result)._value.get()


def run(steps):
    async def with_bench():
        await steps(Bench())

    asyncio.run(with_bench())


def test_a_job_is_decided_on_with_all_that_is_known_of_it():
    async def steps(bench):
        bench.mirror.take_job(raw_job())
        bench.mirror.take_pod(raw_pod(0))
        await bench.work()
        (observed,) = bench.seen
        assert observed.now == 5.0
        assert observed.job.uid == "job-1"
        assert len(observed.pods) == 1
        assert observed.serves_pod_monitors

    run(steps)


def test_an_empty_plan_writes_nothing():
    async def steps(bench):
        bench.mirror.take_job(raw_job())
        await bench.work()
        assert bench.carrier.carried == []
        assert bench.count("success") == 1

    run(steps)


def test_a_job_is_looked_at_again_when_the_plan_says_so():
    async def steps(bench):
        bench.plans = [Plan(look_again=0.01)]
        bench.mirror.take_job(raw_job())
        await bench.work()
        assert len(bench.seen) == 2

    run(steps)


def test_after_a_refusal_a_new_plan_is_made_at_once():
    async def steps(bench):
        bench.plans, bench.carrier.outcomes = [BUSY], [False]
        bench.mirror.take_job(raw_job())
        await bench.work()
        assert len(bench.seen) == 2
        assert len(bench.carrier.carried) == 1

    run(steps)


@pytest.mark.parametrize(
    "error", [ApiError(503, "ServiceUnavailable", "later"), RuntimeError("a mistake")]
)
def test_what_fails_is_tried_again_and_counted(error):
    async def steps(bench):
        bench.plans, bench.carrier.outcomes = [BUSY, BUSY], [error]
        bench.mirror.take_job(raw_job())
        await bench.work(0.2)
        assert len(bench.carrier.carried) == 2
        assert (bench.count("error"), bench.count("success")) == (1, 1)

    run(steps)


def test_a_job_that_goes_with_its_namespace_is_left_alone(caplog):
    async def steps(bench):
        bench.plans = [BUSY, BUSY]
        going = NamespaceTerminatingError(403, "Forbidden", "it is being terminated")
        bench.carrier.outcomes = [going]
        bench.mirror.take_job(raw_job())
        await bench.work(0.2)
        assert len(bench.carrier.carried) == 1
        assert (bench.count("error"), bench.count("success")) == (0, 1)

    run(steps)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_the_api_servers_wish_to_wait_is_kept():
    async def steps(bench):
        bench.plans = [BUSY, BUSY]
        bench.carrier.outcomes = [ApiError(429, "TooManyRequests", "", retry_after=5.0)]
        bench.mirror.take_job(raw_job())
        await bench.work(0.2)
        assert len(bench.carrier.carried) == 1

    run(steps)


def test_a_mistake_in_one_job_does_not_hold_up_others():
    async def steps(bench):
        bench.plans = [RuntimeError("a mistake")]
        bench.mirror.take_job(raw_job())
        bench.mirror.take_job(raw_job("other", uid="job-2"))
        await bench.work(0.005)
        assert [observed.job.name for observed in bench.seen[:2]] == ["digits", "other"]

    run(steps)


def test_a_replica_that_does_not_lead_stops_working():
    async def steps(bench):
        bench.plans, bench.carrier.outcomes = [BUSY], [NotLeadingError("another may lead")]
        bench.mirror.take_job(raw_job())
        with pytest.raises(NotLeadingError):
            await bench.work()

    run(steps)


def test_of_a_job_that_is_gone_everything_is_forgotten_once():
    async def steps(bench):
        bench.mirror.take_job(raw_job())
        working = asyncio.ensure_future(bench.work())
        await asyncio.sleep(0.02)
        bench.mirror.drop_job("job-1")
        await working
        assert bench.memory.forgotten == ["job-1"] * 3  # by each of the three
        assert len(bench.seen) == 1

    run(steps)


def test_of_a_job_that_was_made_anew_the_former_is_forgotten():
    async def steps(bench):
        bench.mirror.take_job(raw_job())
        working = asyncio.ensure_future(bench.work())
        await asyncio.sleep(0.02)
        bench.mirror.take_job(raw_job(uid="job-2", version=9))
        await working
        assert set(bench.memory.forgotten) == {"job-1"}
        assert [observed.job.uid for observed in bench.seen] == ["job-1", "job-2"]

    run(steps)
