import pytest

from gossip_trainer.compare.pool import Done, Failed, Going
from gossip_trainer.compare.sweep import Watching, sweep, unfinished


class Runner:
    """Stands in for whoever carries cells out; notes them, and fails those with `bad` seeds."""

    def __init__(self, found, bad=(), interrupted_after=None):
        self.seen = []
        self._found = found
        self._bad = bad
        self._interrupted_after = interrupted_after

    def __call__(self, cells, watch, /):
        for index, cell in enumerate(cells):
            if index == self._interrupted_after:
                raise KeyboardInterrupt
            self.seen.append(cell)
            watch(Going(index, 0.5))
            if cell.seed in self._bad:
                yield Failed(index, "no memory")
            else:
                yield Done(index, self._found(cell.key, float(cell.workers)))


@pytest.fixture
def told():
    return {"progress": [], "failure": []}


@pytest.fixture
def watching(told):
    return Watching(
        told["progress"].append, lambda cell, reason: told["failure"].append((cell.name, reason))
    )


def test_all_cells_are_carried_out_and_kept_as_they_end(cells, found, watching):
    planned, kept = cells(workers=(2, 8), seeds=2), []
    findings = sweep(planned, {}, Runner(found), kept.append, watching)
    assert {cell.key for cell in planned} == set(findings) == {each.key for each in kept}


def test_the_biggest_begin_first(cells):
    planned = cells("job", workers=(2, 8, 4))
    assert [cell.workers for cell in unfinished(planned, {})] == [8, 4, 2]


def test_what_is_known_is_not_done_again(cells, found, watching):
    planned, runner, kept = cells("job", seeds=3), Runner(found), []
    known = {planned[1].key: found(planned[1].key, 77.0)}
    findings = sweep(planned, known, runner, kept.append, watching)
    assert [cell.seed for cell in runner.seen] == [5, 7]
    assert findings[planned[1].key].points[-1].seconds == 77.0
    assert len(kept) == 2


def test_a_changed_job_is_done_anew(cells, found, watching):
    known = {cell.key: found(cell.key, 1.0) for cell in cells("job")}
    runner = Runner(found)
    sweep(cells("job", {"evaluation": {"every": "2s"}}), known, runner, lambda _: None, watching)
    assert len(runner.seen) == 1


def test_cells_that_are_the_same_job_are_carried_out_once(cells, found, watching):
    runner = Runner(found)
    findings = sweep(cells("job,pull-gossip"), {}, runner, lambda _: None, watching)
    assert (len(runner.seen), len(findings)) == (1, 1)


def test_a_failure_is_told_and_loses_neither_the_others_nor_a_second_try(
    cells, found, watching, told
):
    planned, kept = cells("job", seeds=3), []
    findings = sweep(planned, {}, Runner(found, bad=(6,)), kept.append, watching)
    assert findings[planned[1].key] == "no memory"
    assert told["failure"] == [("job, 4 workers, learning rate 0.1, seed 6", "no memory")]
    assert [cell.seed for cell in unfinished(planned, {each.key: each for each in kept})] == [6]


def test_an_interrupt_keeps_what_is_done(cells, found, watching):
    planned, kept = cells("job", seeds=3), []
    with pytest.raises(KeyboardInterrupt):
        sweep(planned, {}, Runner(found, interrupted_after=2), kept.append, watching)
    assert [each.key for each in kept] == [cell.key for cell in planned[:2]]


def test_progress_goes_by_the_size_of_cells(cells, found, watching, told):
    sweep(cells("job", workers=(2, 6)), {}, Runner(found), lambda _: None, watching)
    assert told["progress"] == [0.375, 0.75, 0.875, 1.0]
