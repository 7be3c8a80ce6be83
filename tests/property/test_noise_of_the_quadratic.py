"""Plain SGD on the model and data `quadratic` spreads around the minimum as theory says.

    Var(x) = eta s^2 / (h (2 - eta h)),   s^2 = sigma^2 / batch size

which holds if the noise of every step is independent of the one before. Coordinates are
independent, so the tolerance is the standard error over them.
"""

import pytest
import torch

from gossip_trainer.data.sampler import ShardSampler, Share
from gossip_trainer.data.sources import quadratic as data
from gossip_trainer.models.quadratic import quadratic

RATE, BATCH, SIGMA = 0.2, 4, 1.5
WARM_UP, STEPS = 100, 12_000


@pytest.mark.parametrize("curvature", [1.0, 2.5])
def test_sgd_spreads_around_the_minimum_as_far_as_theory_says(curvature):
    noise = data.load({"dimension": 64, "noise": SIGMA, "precision": "float64"}, seed=3)
    model = quadratic(
        input_shape=(64,), num_classes=1, curvature=curvature, start=0.0, precision="float64"
    )
    batches = ShardSampler(
        noise.train_targets, BATCH, share=Share(0, 1), sharding="Partition", seed=3
    )
    squares = torch.zeros(64, dtype=torch.float64)
    for step in range(WARM_UP + STEPS):
        inputs, targets = noise.train_batch(next(batches))
        (gradient,) = torch.autograd.grad(noise.loss(model(inputs), targets), model.x)
        with torch.no_grad():
            model.x.sub_(RATE * gradient)
            if step >= WARM_UP:
                squares += model.x.square()
    variances = squares / STEPS
    expected = RATE * SIGMA**2 / BATCH / (curvature * (2 - RATE * curvature))
    error = variances.std() / 64**0.5
    assert abs(variances.mean() - expected) < 4.5 * error
    assert error < 0.01 * expected  # or the test could not tell
