"""How a payload is cut and digested."""

import pytest

from gossip_trainer.transport import chunks
from gossip_trainer.transport.chunks import CHUNK_BYTES, ChunkDigests, cut, digest, framed_bytes


@pytest.mark.parametrize(
    ("num_bytes", "lengths"),
    [
        (1, [1]),
        (CHUNK_BYTES, [CHUNK_BYTES]),
        (CHUNK_BYTES + 1, [CHUNK_BYTES, 1]),
    ],
)
def test_chunks_cover_the_payload_once_in_order(num_bytes, lengths):
    memory = memoryview(bytes(num_bytes))
    assert [len(chunk) for chunk in cut(memory)] == lengths
    assert chunks.num_chunks(num_bytes) == len(lengths)
    assert framed_bytes(num_bytes, digests=True) == num_bytes + 8 * len(lengths)
    assert framed_bytes(num_bytes, digests=False) == num_bytes


def test_a_digest_differs_when_one_bit_does():
    assert digest(memoryview(b"\x00" * 100)) != digest(memoryview(b"\x00" * 99 + b"\x01"))


def test_a_digest_is_kept_until_the_buffer_gets_new_content():
    digests = ChunkDigests(10)
    old = digests.of(0, memoryview(b"0123456789"))
    assert digests.of(0, memoryview(b"abcdefghij")) == old
    digests.reset()
    assert digests.of(0, memoryview(b"abcdefghij")) == digest(memoryview(b"abcdefghij"))
