import torch

from gossip_trainer.algorithms.all_reduce import AllReduce
from gossip_trainer.algorithms.effects import Average, Message, Wait
from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.algorithms.view import make_view


def test_it_averages_the_gradient_itself_and_waits_for_that():
    gradient = torch.tensor([1.0, 2.0])
    average, wait = AllReduce(0, make_view(1, {0: 0, 1: 0})).on_gradient(
        Iterate(torch.zeros(2)), gradient
    )
    assert isinstance(average, Average)
    assert average.vector is gradient
    assert wait == Wait(average)


def test_it_does_nothing_after_the_step_and_never_changes_x():
    x = Iterate(torch.ones(2))
    worker = AllReduce(0, make_view(1, {0: 0, 1: 0}))
    assert tuple(worker.on_step(x)) == ()
    assert tuple(worker.on_averaged(Average(torch.zeros(2)), x)) == ()
    assert tuple(worker.on_message(1, Message(torch.zeros(2), step=1), x)) == ()
    assert torch.equal(x.live, torch.ones(2))
