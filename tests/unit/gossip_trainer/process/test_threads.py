import pytest

from gossip_trainer.process.threads import num_threads


@pytest.mark.parametrize(
    ("limit", "threads"),
    [
        ("150000 100000\n", "1"),
        ("400000 100000\n", "4"),
        ("50000 100000\n", "1"),
        ("max 100000\n", "1"),
        ("", "1"),
        ("nonsense", "1"),
        ("100000 0", "1"),
    ],
)
def test_torch_gets_the_whole_cores_of_the_cpu_limit_and_one_without_a_limit(limit, threads):
    assert num_threads({}, limit) == threads


def test_who_sets_the_number_has_it():
    assert num_threads({"OMP_NUM_THREADS": "3"}, "800000 100000") == "3"
