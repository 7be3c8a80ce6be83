import pytest
import torch

from gossip_trainer.algorithms.effects import Average, Wait
from gossip_trainer.algorithms.iterate import Iterate, LookAhead
from gossip_trainer.algorithms.local_sgd import LocalSGD
from gossip_trainer.algorithms.view import make_view


def local_sgd(
    *, num_parameters=2, period=1, learning_rate=0.5, momentum=0.0, nesterov=False, size=2
):
    return LocalSGD(
        0,
        make_view(1, dict.fromkeys(range(size), 0)),
        num_parameters,
        period=period,
        learning_rate=learning_rate,
        momentum=momentum,
        nesterov=nesterov,
    )


def local_steps(worker, x, *values):
    """Take local steps that set x to each of `values`; return the last one's effects."""
    effects = ()
    for value in values:
        worker.before_step(x)
        x.assign_(torch.tensor(value))
        effects = worker.on_step(x)
    return effects


@pytest.mark.parametrize("period", [1, 4])
def test_it_averages_after_every_period_steps_and_waits(period):
    worker, x = local_sgd(period=period), Iterate(torch.zeros(2))
    effects = [local_steps(worker, x, [1.0, 1.0]) for _ in range(8)]
    assert [step for step, asked in enumerate(effects, 1) if asked] == list(
        range(period, 9, period)
    )
    average, wait = effects[-1]
    assert isinstance(average, Average)
    assert wait == Wait(average)


def test_it_averages_how_far_it_moved_since_the_last_outer_step():
    worker, x = local_sgd(period=2), Iterate(torch.tensor([1.0, 5.0]))
    average, _ = local_steps(worker, x, [2.0, 2.0], [4.0, 4.0])
    assert average.vector.tolist() == [-3.0, 1.0]


def test_the_outer_step_goes_from_where_local_training_began():
    worker, x = local_sgd(), Iterate(torch.tensor([1.0, 5.0]))
    average, _ = local_steps(worker, x, [9.0, 9.0])
    average.vector.copy_(torch.tensor([2.0, -2.0]))
    worker.on_averaged(average, x)
    assert x.live.tolist() == [0.0, 6.0]
    average, _ = local_steps(worker, x, [1.0, 8.0])
    assert average.vector.tolist() == [-1.0, -2.0]


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_outer_optimizer_is_torchs_sgd(nesterov):
    worker = local_sgd(learning_rate=0.7, momentum=0.9, nesterov=nesterov)
    x, theta = Iterate(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    reference = torch.optim.SGD([theta], lr=0.7, momentum=0.9, nesterov=nesterov)
    for delta in torch.randn(6, 2, generator=torch.Generator().manual_seed(1)):
        average, _ = local_steps(worker, x, [0.0, 0.0])
        average.vector.copy_(delta)
        worker.on_averaged(average, x)
        theta.grad = delta.clone()
        reference.step()
        torch.testing.assert_close(x.live, theta.data)


def test_buffers_are_averaged_plainly_whatever_the_outer_optimizer():
    worker = local_sgd(num_parameters=1, learning_rate=0.1, momentum=0.9, nesterov=True)
    x = Iterate(torch.tensor([0.0, 10.0]))
    for mean in (4.0, 2.0, 0.5):
        start = x.live[1].item()
        average, _ = local_steps(worker, x, [1.0, 3.0])
        average.vector[1] = start - mean
        worker.on_averaged(average, x)
        assert x.live[1].item() == pytest.approx(mean)


def test_under_an_inner_nesterov_it_moves_x_and_keeps_the_look_ahead():
    momentum = torch.tensor([1.0, -1.0])
    x = Iterate(torch.zeros(2), LookAhead(momentum, 0.25))
    worker = local_sgd(learning_rate=1.0)
    average, _ = local_steps(worker, x, [4.0, 4.0])
    average.vector.copy_(torch.tensor([1.0, 1.0]))
    start = torch.tensor([0.25, -0.25])
    worker.on_averaged(average, x)
    torch.testing.assert_close(x.copy(), start - 1.0)
    torch.testing.assert_close(x.live, start - 1.0 - 0.25 * momentum)
