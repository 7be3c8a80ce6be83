import pytest
import torch

from gossip_api.compression import Compression
from gossip_trainer.compression.codec import codec_of, is_int8, message_bytes, message_dtype

KINDS = [None, "BFloat16", "Int8", "Partial"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def compression(kind):
    return None if kind is None else Compression(type=kind)


def randn(size):
    return torch.randn(size, generator=torch.Generator().manual_seed(1))


@every_kind
@pytest.mark.parametrize("size", [1, 128, 1000])
def test_a_message_is_as_long_and_of_the_dtype_that_the_receiver_makes_room_for(kind, size):
    chosen = compression(kind)
    encoded = codec_of(chosen, 1).encode(randn(size))
    assert encoded.nbytes == message_bytes(chosen, size, torch.float32)
    assert encoded.dtype == message_dtype(chosen, torch.float32)


@every_kind
def test_what_comes_back_is_near_what_was_sent(kind):
    codec, vector = codec_of(compression(kind), 1), randn(1000)
    found = codec.decode(codec.encode(vector), torch.float32)
    assert (found - vector).abs().max() <= vector.abs().max() / 100


@pytest.mark.parametrize(("kind", "share"), [(None, 1.0), ("BFloat16", 0.5), ("Int8", 0.2578125)])
def test_a_message_takes_this_share_of_the_bytes(kind, share):
    assert message_bytes(compression(kind), 12_800, torch.float32) == share * 4 * 12_800


def test_without_compression_a_vector_travels_as_the_memory_it_is():
    vector = randn(10)
    assert codec_of(None, 1).encode(vector) is vector


def test_every_vector_is_rounded_with_noise_of_its_own_and_the_same_again_from_the_start():
    one, again, vector = (
        codec_of(compression("BFloat16"), 1),
        codec_of(compression("BFloat16"), 1),
        randn(1000),
    )
    first, second = one.encode(vector), one.encode(vector)
    assert not torch.equal(first, second)
    assert torch.equal(again.encode(vector), first)
    assert torch.equal(again.encode(vector), second)
    assert not torch.equal(codec_of(compression("BFloat16"), 2).encode(vector), first)


def test_only_int8_sends_differences():
    assert [kind for kind in KINDS if is_int8(compression(kind))] == ["Int8"]
