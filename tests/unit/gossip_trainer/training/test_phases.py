"""What a boundary tells of the time: what it is spent on, and how old the models are that come."""

from lone_worker import build_worker, gossip, members

from gossip_trainer.observability.phase_clock import Phase, PhaseClock
from gossip_trainer.training.news import drive
from gossip_trainer.training.observer import Observer, Observers

STEP = [Phase.COMPUTE, Phase.COMMUNICATE, Phase.COMPUTE, Phase.COMMUNICATE, Phase.DATA]


def test_a_step_is_computed_then_told_of_then_the_next_batch_is_fetched():
    worker = build_worker(roster=[members(0)])
    worker.step()
    worker.step()
    assert worker.journal.phases == STEP * 2


def test_after_the_last_step_no_batch_is_fetched():
    worker = build_worker(roster=[members(0)])
    worker.boundary.leave()
    assert not worker.step()
    worker.finish()
    assert worker.journal.phases == [*STEP[:-1], Phase.COMMUNICATE]


def test_what_a_step_waits_for_its_peer_is_all_that_counts_as_waiting():
    worker = build_worker(gossip(overlap=False))
    phases = PhaseClock(worker.clock)

    def peer_answers(_seconds):
        worker.clock.advance(3.0)
        worker.exchange.arrive(worker.filled(3.0), step=1)

    wait = phases.waiting(peer_answers)
    worker.journal.entered = phases.enter
    phases.start(Phase.DATA)
    worker.boundary.begin_step()
    worker.clock.advance(2.0)
    drive(worker.boundary.gradient_ready(samples=8), wait)
    worker.clock.advance(0.5)
    drive(worker.boundary.step_done(loss=0.5), wait)
    worker.clock.advance(0.25)
    assert phases.seconds() == {
        Phase.DATA: 0.25,
        Phase.COMPUTE: 2.5,
        Phase.COMMUNICATE: 0.0,
        Phase.WAIT: 3.0,
    }


def test_every_model_that_came_is_told_with_its_age():
    worker = build_worker(gossip(overlap=False))
    steps = iter((0, 1, 9))
    worker.at_wait = lambda _: worker.exchange.arrive(worker.filled(3.0), step=next(steps))
    for _ in range(3):
        worker.step()
    assert worker.journal.ages == [1, 1, -6]


class Witness(Observer):
    def __init__(self):
        self.seen = []

    def entered(self, phase):
        self.seen.append(phase)

    def stepped(self, boundary):
        self.seen.append(boundary)

    def took_in(self, age):
        self.seen.append(age)

    def exchange_lost(self, peer, step, reason):
        self.seen.append((peer, step, reason))

    def view_changed(self, view):
        self.seen.append(view)


def tell(observer):
    observer.entered(Phase.DATA)
    observer.stepped("boundary")
    observer.took_in(3)
    observer.exchange_lost("worker-1-0", 5, "it hung up")
    observer.view_changed("view")


def test_several_observers_are_each_told_everything():
    first, second, direct = Witness(), Witness(), Witness()
    tell(Observers(first, second))
    tell(direct)
    assert first.seen == second.seen == direct.seen
    assert len(direct.seen) == 5
