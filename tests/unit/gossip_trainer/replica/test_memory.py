import pytest
import torch

from gossip_trainer.replica.memory import bytes_of, memory_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_writing_to_the_bytes_writes_to_the_vector(dtype):
    vector, other = torch.zeros(7, dtype=dtype), torch.arange(7, dtype=dtype)
    memory = memory_of(vector)
    assert (memory.format, memory.nbytes) == ("B", 7 * dtype.itemsize)
    memory[:] = other.numpy().tobytes()
    assert torch.equal(vector, other)


def test_a_live_parameter_can_be_read_as_bytes():
    assert memory_of(torch.nn.Parameter(torch.zeros(3))).nbytes == 12


def test_bytes_to_read_are_those_of_the_vector_and_cannot_be_written():
    vector = torch.arange(5.0)
    assert bytes_of(vector).readonly
    assert bytes(bytes_of(vector)) == vector.numpy().tobytes()
