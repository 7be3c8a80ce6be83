import pytest
import torch
from normed_model import normed
from torch.nn.functional import cross_entropy

from gossip_api.training import Budget, Data, Model, Optimizer, Training
from gossip_trainer.data.dataset import Batch
from gossip_trainer.replica.flat import FlatModel
from gossip_trainer.training.gradient import GradientComputation
from gossip_trainer.training.slices import SliceComputation, SliceShapes

SETTINGS = Training(
    model=Model(name="normed_model:normed"),
    data=Data(name="digits"),
    optimizer=Optimizer(name="sgd", learning_rate=0.1),
    budget=Budget(epochs=1.0),
)


class OneAfterTheOther:
    """Sums what processes bring that follow each other; the last is the leader."""

    def __init__(self):
        self.sums = []
        self._next = 0

    def begin_process(self):
        self._next = 0

    def sum_(self, vector):
        if self._next == len(self.sums):
            self.sums.append(torch.zeros_like(vector))
        self.sums[self._next] += vector
        vector.copy_(self.sums[self._next])
        self._next += 1


def built():
    torch.manual_seed(5)
    return FlatModel(normed(input_shape=(1, 6, 6), num_classes=3).train())


def batch(num_examples):
    generator = torch.Generator().manual_seed(6)
    return Batch(
        torch.randn(num_examples, 1, 6, 6, generator=generator),
        torch.randint(3, (num_examples,), generator=generator),
    )


def computed_in(slices):
    """Return the leader's model and the loss of a batch, the leader's slice the first of them."""
    fabric, num_examples = OneAfterTheOther(), sum(len(part.targets) for part in slices)
    for part in [*slices[1:], slices[0]]:
        fabric.begin_process()
        model = built()
        compute = GradientComputation(model, cross_entropy, SETTINGS)
        loss = SliceComputation(model, compute, fabric).compute(part, num_examples)
    return model, loss


@pytest.mark.parametrize("sizes", [[12], [6, 6], [4, 4, 4], [5, 4, 3]])
def test_the_leader_has_the_mean_over_all_examples_however_they_were_cut(sizes):
    # Every slice is of the same examples, so that batch norms see the same in each.
    slices = [Batch(*(each.repeat_interleave(size, 0) for each in batch(2))) for size in sizes]
    model, loss = computed_in(slices)
    whole = built()
    expected = GradientComputation(whole, cross_entropy, SETTINGS)(slices[0])
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(model.gradient, whole.gradient)


def test_a_frozen_parameter_stays_the_same_to_the_bit():
    inputs, targets = batch(9)
    model, _ = computed_in([Batch(inputs[i::3], targets[i::3]) for i in range(3)])
    before = built()
    (weight,) = [entry for entry in model.layout.others if entry.name == "0.weight"]
    assert torch.equal(weight.of(model.vector), weight.of(before.vector))
    (mean,) = [entry for entry in model.layout.others if entry.name == "1.running_mean"]
    assert not torch.equal(mean.of(model.vector), mean.of(before.vector))


def test_running_means_become_those_of_the_whole_batch():
    inputs, targets = batch(9)
    model, _ = computed_in([Batch(inputs[i::3], targets[i::3]) for i in range(3)])
    whole = built()
    GradientComputation(whole, cross_entropy, SETTINGS)(Batch(inputs, targets))
    (mean,) = [entry for entry in model.layout.others if entry.name == "1.running_mean"]
    torch.testing.assert_close(mean.of(model.vector), mean.of(whole.vector))


def test_a_follower_makes_room_for_a_slice_as_it_was_described():
    part = batch(4)
    room = SliceShapes.of(part, 12).room()
    for made, given in zip(room, part, strict=True):
        assert (made.shape, made.dtype) == (given.shape, given.dtype)
