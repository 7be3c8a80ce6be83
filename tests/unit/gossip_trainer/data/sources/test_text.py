import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from gossip_trainer.data.sources import text
from gossip_trainer.errors import DataError

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "letters.txt").write_text(LETTERS)
    (tmp_path / "digits.txt").write_text("0123456789")
    (tmp_path / "empty.txt").touch()
    for name, dtype in (("tokens", "<u2"), ("more", "<u2"), ("wide", "<u4")):
        np.arange(50_000, 50_021, dtype=dtype).tofile(tmp_path / f"{name}.bin")
    return tmp_path


def spoken(tokens):
    return ["".join(map(chr, row)) for row in tokens.tolist()]


def all_train(dataset):
    return dataset.train_batch(torch.arange(dataset.num_examples))


def all_test(dataset):
    batches = list(dataset.test_batches(3))
    return torch.cat([b.inputs for b in batches]), torch.cat([b.targets for b in batches])


def test_text_is_cut_into_windows_whose_targets_are_the_next_bytes(folder):
    dataset = text.load({"train": "letters.txt", "test": "digits.txt", "context": 6}, folder)
    assert (dataset.num_examples, dataset.input_shape, dataset.num_classes) == (4, (6,), 256)
    inputs, targets = all_train(dataset)
    assert inputs.dtype == targets.dtype == torch.int64
    assert spoken(inputs) == ["abcdef", "ghijkl", "mnopqr", "stuvwx"]
    assert spoken(targets) == ["bcdefg", "hijklm", "nopqrs", "tuvwxy"]
    assert list(map(spoken, all_test(dataset))) == [["012345"], ["123456"]]


def test_a_batch_holds_the_windows_that_are_asked_for_in_that_order(folder):
    dataset = text.load({"train": "letters.txt", "test": "digits.txt", "context": 6}, folder)
    assert spoken(dataset.train_batch(torch.tensor([3, 0, 3])).inputs) == [
        "stuvwx", "abcdef", "stuvwx",
    ]  # fmt: skip


def test_a_file_as_long_as_a_window_lacks_the_token_to_predict_last(folder):
    arguments = {"train": "digits.txt", "test": "letters.txt"}
    assert text.load({**arguments, "context": 9}, folder).num_examples == 1
    with pytest.raises(DataError, match="make 0 training and 2 test examples of 10 tokens"):
        text.load({**arguments, "context": 10}, folder)


def test_no_window_reaches_from_one_file_into_the_next(folder):
    files = ["digits.txt", "empty.txt", "letters.txt"]
    dataset = text.load({"train": files, "test": "digits.txt", "context": 8}, folder)
    assert spoken(all_train(dataset).inputs) == ["01234567", "abcdefgh", "ijklmnop", "qrstuvwx"]


def test_without_a_test_file_the_last_tenth_of_the_windows_is_held_out(folder):
    dataset = text.load({"train": "letters.txt", "context": 2}, folder)
    assert dataset.num_examples == 10
    assert spoken(all_test(dataset)[0]) == ["uv", "wx"]


def test_a_test_can_be_of_some_windows_that_lie_evenly_spread(folder):
    arguments = {"train": "digits.txt", "test": "letters.txt", "context": 1}
    dataset = text.load({**arguments, "testExamples": 5}, folder)
    assert spoken(all_test(dataset)[0]) == ["a", "f", "k", "p", "u"]
    dataset = text.load({**arguments, "testExamples": 500}, folder)
    assert "".join(spoken(all_test(dataset)[0])) == LETTERS[:-1]


def test_a_test_batch_is_smaller_where_its_scores_would_fill_the_memory(folder, monkeypatch):
    monkeypatch.setattr(text, "_MAX_TEST_SCORES", 2 * 256 * 3)
    dataset = text.load({"train": "digits.txt", "test": "letters.txt", "context": 2}, folder)
    assert [len(batch.inputs) for batch in dataset.test_batches(100)] == [3, 3, 3, 3]
    assert [len(batch.inputs) for batch in dataset.test_batches(2)] == [2] * 6


@pytest.mark.parametrize(
    ("files", "dtype"), [(["tokens.bin", "more.bin"], "uint16"), (["wide.bin"], "uint32")]
)
def test_tokens_are_read_as_they_were_written(folder, files, dtype):
    arguments = {"context": 10, "vocabulary": 50_257, "dtype": dtype}
    dataset = text.load({"train": files, "test": files[-1], **arguments}, folder)
    inputs, targets = all_train(dataset)
    assert inputs[:2].tolist() == [list(range(50_000, 50_010)), list(range(50_010, 50_020))]
    assert torch.equal(targets, inputs + 1)
    assert dataset.num_classes == 50_257


def test_loss_and_grade_take_every_position_alike(folder):
    dataset = text.load({"train": "letters.txt", "context": 3}, folder)
    outputs = torch.randn(2, 3, 256, generator=torch.Generator().manual_seed(1))
    targets = outputs.argmax(dim=2)
    targets[1, 2] = (targets[1, 2] + 1) % 256
    expected = cross_entropy(outputs.reshape(6, 256), targets.reshape(6))
    assert torch.equal(dataset.loss(outputs, targets), expected)
    loss, correct = dataset.grade(outputs, targets)
    assert loss == pytest.approx(6 * expected.item(), rel=1e-6)
    assert correct == 5


def test_the_text_of_pythons_own_modules_is_what_it_reads_by_default():
    dataset = text.load({"testExamples": 10}, None)
    assert dataset.num_examples > 10_000
    assert dataset.input_shape == (128,)
    assert spoken(dataset.train_batch(torch.tensor([0])).inputs)[0].startswith('"""')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": "letters.txt", "context": 0}, r"args\.context: got 0, expected an integer >= 1"),
        ({"train": "letters.txt", "testExamples": 0}, r"args\.testExamples: got 0"),
        ({"train": "letters.txt", "vocabulary": 9}, r"args\.vocabulary: is for files of tokens"),
        ({"train": "letters.txt", "dtype": "uint16"}, r"args\.dtype: is for files of tokens"),
        ({"train": "tokens.bin"}, r"args\.vocabulary: got None, expected an integer >= 2"),
        ({"train": "tokens.bin", "vocabulary": 9, "dtype": "int64"}, r"expected uint16 or uint32"),
        ({"train": ["tokens.bin", "letters.txt"]}, r"both text and files of tokens"),
        ({"train": "letters.txt", "test": "tokens.bin"}, r"both text and files of tokens"),
        ({"test": "letters.txt"}, r"args\.train: is required where root or args\.test is given"),
        ({}, r"args\.train: is required where root"),
        ({"train": "empty.txt"}, r"args\.context: the files make 0 training and 0 test examples"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(folder, arguments, message):
    with pytest.raises(DataError, match=message):
        text.load(arguments, folder)


def test_a_file_that_ends_within_a_token_is_refused(folder):
    (folder / "cut.bin").write_bytes(bytes(41))
    with pytest.raises(DataError, match=r"cut\.bin: 41 bytes are no whole number of uint16 tokens"):
        text.load({"train": "cut.bin", "context": 3, "vocabulary": 5}, folder)


def test_a_token_outside_the_vocabulary_is_named_where_it_is_met(folder):
    dataset = text.load(
        {"train": "tokens.bin", "test": "more.bin", "context": 5, "vocabulary": 50_008}, folder
    )
    dataset.train_batch(torch.tensor([0]))
    with pytest.raises(DataError, match=r"tokens\.bin: token 8 is 50008, outside .* 50008; give"):
        dataset.train_batch(torch.tensor([0, 1]))
