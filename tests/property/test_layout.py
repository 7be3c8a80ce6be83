import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gossip_trainer.replica.flat import FlatModel

shapes = st.lists(st.integers(0, 9), max_size=3).map(tuple)
dtypes = st.sampled_from([torch.float32, torch.float64])


@st.composite
def modules(draw):
    dtype, module = draw(dtypes), nn.Module()
    kinds = draw(st.lists(st.sampled_from(["trained", "frozen", "buffer"]), max_size=6))
    for index, kind in enumerate(["trained", *kinds]):
        tensor = torch.randn(draw(shapes)).to(dtype)
        if kind == "buffer":
            module.register_buffer(f"t{index}", tensor)
        else:
            parameter = nn.Parameter(tensor, requires_grad=kind == "trained")
            module.register_parameter(f"t{index}", parameter)
    return module


@settings(max_examples=60, deadline=None)
@given(modules())
def test_every_tensor_has_a_place_of_its_own_and_keeps_its_values(module):
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    flat = FlatModel(module)
    layout, end = flat.layout, 0
    assert {entry.name for entry in layout.entries} == set(before)
    for entry in layout.entries:
        assert entry.offset >= end
        assert entry.offset * layout.dtype.itemsize % 64 == 0
        end = entry.offset + entry.numel
        assert torch.equal(entry.of(flat.vector), before[entry.name])
        assert module.state_dict()[entry.name].data_ptr() == entry.of(flat.vector).data_ptr()
    assert layout.size >= end
    trained = sum(entry.numel for entry in layout.trainable)
    assert trained <= layout.num_parameters == flat.parameter.numel()
    assert flat.vector.count_nonzero() == sum(t.count_nonzero() for t in before.values())


@settings(max_examples=40, deadline=None)
@given(modules(), st.integers(0, 2**31))
def test_loading_a_vector_sets_every_tensor_to_its_part(module, seed):
    flat = FlatModel(module)
    vector = torch.randn(flat.layout.size, generator=torch.Generator().manual_seed(seed)).to(
        flat.layout.dtype
    )
    flat.load_(vector)
    for name, tensor in module.state_dict().items():
        (entry,) = (e for e in flat.layout.entries if e.name == name)
        assert torch.equal(tensor, entry.of(vector))
