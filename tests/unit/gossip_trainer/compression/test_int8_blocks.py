import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gossip_trainer.compression.int8_blocks import (
    BLOCK,
    from_int8_blocks,
    num_bytes,
    to_int8_blocks,
)

sizes = pytest.mark.parametrize("size", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 1000, 100_003])


def randn(size, seed=1, dtype=torch.float32):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def block_maxima(vector):
    """The greatest magnitude of each value's block."""
    blocks = [part.abs().max().expand(part.numel()) for part in vector.split(BLOCK)]
    return torch.cat(blocks)


@sizes
def test_a_vector_takes_a_byte_a_value_and_four_a_block(size):
    encoded = to_int8_blocks(randn(size))
    assert encoded.dtype == torch.uint8
    assert encoded.shape == (num_bytes(size),) == (size + 4 * math.ceil(size / BLOCK),)
    assert from_int8_blocks(encoded, torch.float32).shape == (size,)


@sizes
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_value_is_off_by_half_a_scale_of_its_block_at_most(size, dtype):
    vector = randn(size, dtype=dtype)
    found = from_int8_blocks(to_int8_blocks(vector), dtype)
    assert found.dtype == dtype
    assert ((found - vector).abs() <= block_maxima(vector) * 1.0001 / 254).all()


def test_a_block_of_small_values_does_not_suffer_from_a_great_one_elsewhere():
    vector = torch.cat([torch.full((BLOCK,), 1e-6), torch.full((BLOCK,), 1e6)])
    torch.testing.assert_close(from_int8_blocks(to_int8_blocks(vector), torch.float32), vector)


def test_zeros_stay_zeros():
    zeros = torch.zeros(3 * BLOCK + 7)
    assert torch.equal(from_int8_blocks(to_int8_blocks(zeros), torch.float32), zeros)


@given(value=st.floats(-(2.0**126), 2.0**126, width=32))
def test_a_block_of_one_value_keeps_it_but_for_the_last_places(value):
    vector = torch.full((BLOCK,), value)
    found = from_int8_blocks(to_int8_blocks(vector), torch.float32)
    assert ((found - vector).abs() <= 1e-5 * abs(value) + 6e-39).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_block_with_a_value_that_is_not_finite_comes_back_without_one_that_is(bad):
    vector = randn(2 * BLOCK)
    vector[3] = bad
    found = from_int8_blocks(to_int8_blocks(vector), torch.float32)
    assert not found[:BLOCK].isfinite().any()
    assert found[BLOCK:].isfinite().all()


def test_a_vector_that_begins_anywhere_in_memory_is_read():
    buffer = torch.zeros(1000, dtype=torch.uint8)
    encoded = to_int8_blocks(randn(300))
    place = buffer[8 : 8 + encoded.numel()]
    place.copy_(encoded)
    assert torch.equal(
        from_int8_blocks(place, torch.float32), from_int8_blocks(encoded, torch.float32)
    )
