import logging
import math
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gossip_trainer.checkpoint.files import MANIFEST, TENSORS
from gossip_trainer.checkpoint.store import Checkpoint, CheckpointStore, superfluous
from gossip_trainer.errors import CheckpointError


def a_checkpoint(step: int) -> Checkpoint:
    tensors = {
        "vector": torch.arange(5.0) + step,
        "half/ä": torch.ones(2, 3, dtype=torch.bfloat16),
        "count": torch.tensor(step),
        "nothing": torch.zeros(0),
    }
    return Checkpoint(step, tensors, {"samples": step * 8, "rows": [[1, "a"], None], "lr": 0.1})


def assert_equal(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    assert found.step == expected.step
    assert found.facts == expected.facts
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)


@pytest.fixture
def store(tmp_path) -> CheckpointStore:
    return CheckpointStore(tmp_path, "worker-0", keep=3)


def folder(tmp_path, step: int):
    return tmp_path / "worker-0" / f"step-{step:012d}"


def test_the_newest_checkpoint_comes_back_as_it_was_saved(store):
    for step in (10, 20):
        store.save(a_checkpoint(step))
    assert_equal(store.newest(), a_checkpoint(20))


def test_before_the_first_there_is_none(store):
    assert store.newest() is None


def test_a_store_is_empty_until_something_was_saved_whole_even_if_it_is_damaged_now(
    store, tmp_path
):
    assert store.is_empty()
    folder(tmp_path, 5).mkdir(parents=True)
    assert store.is_empty()
    store.save(a_checkpoint(10))
    truncate(folder(tmp_path, 10) / TENSORS)
    assert not store.is_empty()


def test_save_tells_where_the_checkpoint_lies(store, tmp_path):
    assert store.save(a_checkpoint(1234)) == str(folder(tmp_path, 1234))
    assert {path.name for path in folder(tmp_path, 1234).iterdir()} == {TENSORS, MANIFEST}


def test_numbers_that_are_not_finite_come_back_too(store):
    store.save(Checkpoint(1, {}, {"began": math.inf}))
    assert store.newest().facts == {"began": math.inf}


def test_a_tensor_in_another_memory_format_comes_back_with_its_values(store):
    image = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    store.save(Checkpoint(1, {"image": image}, {}))
    assert torch.equal(store.newest().tensors["image"], image)


def test_only_the_newest_stay(store, tmp_path):
    for step in (1, 2, 3, 4, 5):
        store.save(a_checkpoint(step))
    assert sorted(path.name for path in (tmp_path / "worker-0").iterdir()) == [
        f"step-{step:012d}" for step in (3, 4, 5)
    ]


def test_what_was_read_stays_readable_when_its_files_are_removed(store, tmp_path):
    store.save(a_checkpoint(1))
    found = store.newest()
    shutil.rmtree(tmp_path / "worker-0")
    assert_equal(found, a_checkpoint(1))


def test_members_under_one_root_do_not_meet(tmp_path):
    stores = [CheckpointStore(tmp_path, f"worker-{rank}", keep=1) for rank in range(3)]
    for rank, store in enumerate(stores):
        store.save(a_checkpoint(rank))
    for rank, store in enumerate(stores):
        assert_equal(store.newest(), a_checkpoint(rank))


def test_members_that_save_at_the_same_time_do_not_disturb_each_other(tmp_path):
    def save_some(rank: int) -> None:
        store = CheckpointStore(tmp_path, f"worker-{rank}", keep=2)
        for step in range(5):
            store.save(a_checkpoint(10 * rank + step))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(save_some, range(4)))

    for rank in range(4):
        assert_equal(
            CheckpointStore(tmp_path, f"worker-{rank}", keep=2).newest(),
            a_checkpoint(10 * rank + 4),
        )


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda at: truncate(at / TENSORS), "bytes"),
        (lambda at: flip_a_bit(at / TENSORS), "its digest differs"),
        (lambda at: (at / TENSORS).unlink(), f"{TENSORS} is missing"),
        (lambda at: (at / MANIFEST).unlink(), f"{MANIFEST} is missing"),
        (lambda at: truncate(at / MANIFEST), f"{MANIFEST} is malformed"),
        (lambda at: (at / MANIFEST).write_text('{"version": 1}'), "missing required field"),
    ],
)
def test_a_damaged_one_is_warned_about_and_the_one_before_is_used(
    store, tmp_path, caplog, damage, reason
):
    for step in (10, 20):
        store.save(a_checkpoint(step))
    damage(folder(tmp_path, 20))
    with caplog.at_level(logging.WARNING):
        found = store.newest()
    assert_equal(found, a_checkpoint(10))
    assert str(folder(tmp_path, 20)) in caplog.text
    assert reason in caplog.text


def test_any_flipped_bit_of_the_manifest_is_found_or_changes_nothing(store, tmp_path):
    store.save(a_checkpoint(20))
    manifest = folder(tmp_path, 20) / MANIFEST
    whole = manifest.read_bytes()
    for position in range(len(whole)):
        data = bytearray(whole)
        data[position] ^= 1
        manifest.write_bytes(data)
        if (found := store.newest()) is not None:
            assert_equal(found, a_checkpoint(20))


def test_one_of_a_later_version_is_passed_over(store, tmp_path, caplog):
    store.save(a_checkpoint(1))
    manifest = folder(tmp_path, 1) / MANIFEST
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    assert store.newest() is None
    assert "has format 2; this version reads 1" in caplog.text


def test_one_in_the_folder_of_another_step_is_passed_over(store, tmp_path, caplog):
    store.save(a_checkpoint(1))
    folder(tmp_path, 1).rename(folder(tmp_path, 7))
    assert store.newest() is None
    assert "it is of step 1" in caplog.text


def test_saving_removes_what_a_killed_save_left_behind(store, tmp_path):
    leftover = tmp_path / "worker-0" / ".aside"
    leftover.mkdir(parents=True)
    (leftover / TENSORS).write_bytes(b"half a mod")
    assert store.newest() is None
    store.save(a_checkpoint(1))
    assert [path.name for path in (tmp_path / "worker-0").iterdir()] == ["step-000000000001"]


def test_a_process_that_went_on_from_an_earlier_step_writes_over_the_later_ones(store, tmp_path):
    for step in (10, 20, 30):
        store.save(a_checkpoint(step))
    truncate(folder(tmp_path, 30) / TENSORS)
    truncate(folder(tmp_path, 20) / TENSORS)
    store.save(a_checkpoint(20))
    assert_equal(store.newest(), a_checkpoint(20))
    assert not folder(tmp_path, 30).exists()


@pytest.mark.parametrize(
    ("found", "step", "keep", "gone"),
    [
        ({1: True, 2: True}, 2, 2, []),
        ({1: True, 2: True, 3: True}, 3, 2, [1]),
        ({1: True, 2: False, 3: True}, 3, 2, [2]),
        ({5: True, 9: True}, 5, 1, [9]),
    ],
)
def test_later_ones_incomplete_ones_and_old_ones_are_superfluous(found, step, keep, gone):
    assert superfluous(found, step, keep) == gone


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    (tmp_path / "worker-0").write_text("not a folder")
    store = CheckpointStore(tmp_path, "worker-0", keep=1)
    with pytest.raises(
        CheckpointError, match=r"worker-0/step-0{11}1: cannot be saved: .*Not a directory"
    ):
        store.save(a_checkpoint(1))


def test_what_is_no_json_is_refused_and_leaves_nothing(store, tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.save(Checkpoint(1, {}, {"tensor": torch.zeros(1)}))
    assert list((tmp_path / "worker-0").iterdir()) == []
