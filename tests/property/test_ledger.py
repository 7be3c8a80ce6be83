"""The job-wide count under any order of exchanges and restarts."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gossip_trainer.progress.ledger import Ledger, LedgerRecord, Stop, StopReason
from gossip_trainer.progress.shared import JobProgress

numbers = st.integers(0, 5)
stops = st.builds(Stop, st.floats(0, 9), st.sampled_from("ab"), st.sampled_from(StopReason))
rows = st.lists(st.tuples(numbers, numbers, numbers, numbers)).map(tuple)
records = st.builds(LedgerRecord, st.floats(0, 9), rows, st.none() | stops)


def ledger_of(*parts):
    ledger = Ledger()
    for part in parts:
        ledger.merge(part)
    return ledger


@given(records, records, records)
def test_merging_does_not_depend_on_how_it_is_grouped(a, b, c):
    left, right = ledger_of(a, b), ledger_of(b, c)
    left.merge(c)
    whole = ledger_of(a)
    whole.merge(right.record())
    assert (whole.began, whole.counts) == (left.began, left.counts)


@given(records, records)
def test_merging_two_ledgers_does_not_depend_on_the_order(a, b):
    one, other = ledger_of(a), ledger_of(b)
    one.merge(other.record())
    other.merge(ledger_of(a).record())
    assert (one.began, one.counts) == (other.began, other.counts)
    assert (one.stop is None) == (other.stop is None)


@given(records, records)
def test_merging_a_ledger_again_changes_nothing(a, b):
    once, twice = ledger_of(a, b), ledger_of(a, b)
    twice.merge(ledger_of(b).record())
    twice.merge(once.record())
    assert once == twice


@given(records, records)
def test_merging_never_lowers_a_count_nor_delays_a_stop(a, b):
    ledger = ledger_of(a)
    samples, began, stop = ledger.samples, ledger.began, ledger.stop
    ledger.merge(b)
    assert ledger.samples >= samples
    assert ledger.began <= began
    assert stop is None or ledger.stop.at <= stop.at


RANKS = 3
ranks = st.integers(0, RANKS - 1)


class Job(RuleBasedStateMachine):
    """Workers that count, exchange in both directions, die and are replaced."""

    def __init__(self):
        super().__init__()
        self.time = 0.0
        self.truth = 0
        self.incarnations = [0] * RANKS
        self.workers = []
        self.seen = [0] * RANKS
        self.hasty = False  # a process died before everybody had its counts
        for rank in range(RANKS):
            self.workers.append(self.process())
            self.workers[rank].begin(rank, 0, self.tick())

    def process(self):
        return JobProgress(lambda: self.time)

    def tick(self):
        self.time += 1.0
        return self.time

    def meet(self, a, b):
        one, other = self.workers[a], self.workers[b]
        request, name = one.send(), f"worker-{a}-{self.incarnations[a]}"
        other.receive(name, request)
        one.receive(f"worker-{b}-{self.incarnations[b]}", other.send())

    def everybody_meets_everybody(self):
        for _ in range(2):
            for a, b in itertools.combinations(range(RANKS), 2):
                self.meet(a, b)

    @rule(rank=ranks, samples=st.integers(1, 100))
    def count(self, rank, samples):
        self.workers[rank].count(samples)
        self.truth += samples

    @rule(a=ranks, b=ranks)
    def exchange(self, a, b):
        if a != b:
            self.meet(a, b)

    @rule(rank=ranks, donor=ranks, in_place=st.booleans(), hasty=st.booleans())
    def replace(self, rank, donor, in_place, hasty):
        if rank == donor:
            return
        if hasty:
            self.hasty = True
        else:
            self.everybody_meets_everybody()
        new = self.process()
        new.receive(f"worker-{donor}-{self.incarnations[donor]}", self.workers[donor].send())
        self.incarnations[rank] += not in_place
        new.begin(rank, self.incarnations[rank], self.tick())
        self.workers[rank] = new
        self.seen[rank] = 0

    @precondition(lambda self: not self.hasty)
    @rule()
    def after_everybody_met_everybody_all_know_the_truth(self):
        self.everybody_meets_everybody()
        assert {worker.samples for worker in self.workers} == {self.truth}

    @invariant()
    def nobody_knows_more_than_the_truth(self):
        assert all(worker.samples <= self.truth for worker in self.workers)

    @invariant()
    def what_a_process_knows_only_grows(self):
        now = [worker.samples for worker in self.workers]
        assert all(new >= old for new, old in zip(now, self.seen, strict=True))
        self.seen = now


Job.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCountsOfProcessesThatDieAndGossipInAnyOrder = Job.TestCase
