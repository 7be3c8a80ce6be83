import pytest
import torch
from torch import nn

from gossip_trainer.errors import ModelError
from gossip_trainer.replica.layout import ALIGNMENT, layout_of


class Net(nn.Module):
    """Every kind of tensor a model can have; `change` alters one fact of it."""

    def __init__(self, change=""):
        super().__init__()
        names = ["a", "b"] if change != "order" else ["b", "a"]
        for name in names:
            size = 3 if name == "a" and change != "shape" else 17
            self.register_parameter(
                name if change != "name" else f"{name}_", nn.Parameter(torch.ones(size))
            )
        frozen = nn.Parameter(torch.ones(2, 5), requires_grad=change == "thawed")
        self.register_parameter("frozen", frozen)
        self.register_buffer("statistics", torch.zeros(4))
        self.register_buffer("counter", torch.tensor(0))
        self.register_buffer("scratch", torch.zeros(100), persistent=False)
        if change == "dtype":
            self.double()


@pytest.fixture
def layout():
    return layout_of(Net())


def test_trainable_parameters_come_first_then_frozen_ones_then_float_buffers(layout):
    assert [entry.name for entry in layout.trainable] == ["a", "b"]
    assert [entry.name for entry in layout.others] == ["frozen", "statistics"]
    assert [entry.name for entry in layout.entries] == ["a", "b", "frozen", "statistics"]


def test_among_trainable_ones_norms_and_biases_come_last():
    layout = layout_of(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2)))
    names = [entry.name for entry in layout.trainable]
    assert names == ["0.weight", "2.weight", "0.bias", "1.weight", "1.bias", "2.bias"]
    assert layout.num_weights == layout.trainable[2].offset == 48


def test_integer_buffers_and_buffers_that_are_not_saved_stay_local(layout):
    assert {"counter", "scratch"}.isdisjoint(entry.name for entry in layout.entries)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_tensor_starts_on_a_64_byte_boundary(dtype):
    layout = layout_of(Net().to(dtype))
    sizes = (layout.num_parameters, layout.size)
    offsets = [entry.offset for entry in layout.entries]
    assert all(offset * dtype.itemsize % ALIGNMENT == 0 for offset in (*offsets, *sizes))
    assert ALIGNMENT == 64


def test_offsets_follow_each_other_with_the_gaps_counted(layout):
    assert [(e.offset, e.numel, e.shape) for e in layout.entries] == [
        (0, 3, (3,)),
        (16, 17, (17,)),
        (48, 10, (2, 5)),
        (64, 4, (4,)),
    ]
    assert (layout.num_parameters, layout.size, layout.num_bytes) == (48, 80, 320)


def test_a_parameter_used_twice_lies_in_the_vector_once():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight
    assert [entry.name for entry in layout_of(module).entries] == ["0.weight", "0.bias", "1.bias"]


def test_a_tensors_view_shares_the_vectors_memory(layout):
    vector = torch.zeros(layout.size)
    views = {entry.name: entry.of(vector) for entry in layout.entries}
    views["frozen"].fill_(2.0)
    assert views["frozen"].shape == (2, 5)
    assert torch.equal(vector[48:58], torch.full((10,), 2.0))
    assert vector.sum() == 20.0


def test_a_tensor_that_is_channels_last_stays_so():
    weight = torch.arange(36.0).view(3, 3, 2, 2)
    module = nn.Conv2d(3, 3, 2, bias=False)
    module.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
    (entry,) = layout_of(module).entries
    vector = torch.zeros(48)
    view = entry.of(vector)
    view.copy_(weight)
    assert view.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(view, weight)
    assert vector[:4].tolist() == [0.0, 4.0, 8.0, 1.0]
    assert layout_of(module).digest() != layout_of(nn.Conv2d(3, 3, 2, bias=False)).digest()


def test_equal_models_have_equal_digests(layout):
    assert layout.digest() == layout_of(Net()).digest()


@pytest.mark.parametrize("change", ["name", "shape", "dtype", "order", "thawed"])
def test_the_digest_tells_models_apart_by(change, layout):
    assert layout.digest() != layout_of(Net(change)).digest()


def test_the_digest_is_the_same_in_every_release(layout):
    assert layout.digest() == "18877bc6e67060fdb2421d030db4a18c9dd8d13163f5c51b165067bd5f7c979f"


def test_parameters_of_half_precision_are_refused():
    with pytest.raises(ModelError, match=r"dtype torch.bfloat16; must be float32 or float64"):
        layout_of(nn.Linear(2, 2).to(torch.bfloat16))


def test_a_model_of_mixed_dtypes_is_refused_by_the_tensors_name():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    with pytest.raises(ModelError, match=r"Sequential\.1\.weight has dtype torch.float64"):
        layout_of(module)


def test_a_float_buffer_of_another_dtype_is_refused():
    module = nn.Linear(2, 2)
    module.register_buffer("mean", torch.zeros(2, dtype=torch.float64))
    with pytest.raises(ModelError, match=r"Linear\.mean has dtype torch.float64"):
        layout_of(module)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_a_model_with_nothing_to_train_is_refused(module):
    with pytest.raises(ModelError, match="no trainable parameter"):
        layout_of(module)
