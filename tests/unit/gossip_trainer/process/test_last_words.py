import logging

from gossip_api.process import LAST_WORDS_LIMIT, LastWords
from gossip_trainer.process.last_words import leave_last_words


def test_they_stand_in_the_file_as_the_operator_reads_them(tmp_path):
    path = tmp_path / "termination-log"
    words = LastWords(step=3, finished=True)
    leave_last_words(path, words)
    assert LastWords.from_message(path.read_text()) == words


def test_they_take_the_place_of_what_a_process_before_left_there(tmp_path):
    path = tmp_path / "termination-log"
    path.write_text("x" * 10_000)
    inode = path.stat().st_ino
    leave_last_words(path, LastWords())
    assert LastWords.from_message(path.read_text()) == LastWords()
    assert path.stat().st_ino == inode  # the kubelet has mounted that file and reads no other


def test_nobody_asks_for_them_everywhere():
    leave_last_words(None, LastWords())


def test_a_reason_of_wide_characters_is_cut_until_it_fits(tmp_path):
    path = tmp_path / "termination-log"
    leave_last_words(path, LastWords(reason="\N{PILE OF POO}" * 1024))
    assert len(path.read_bytes()) <= LAST_WORDS_LIMIT
    words = LastWords.from_message(path.read_text())
    assert words.reason.startswith("\N{PILE OF POO}" * 100)


def test_that_they_cannot_be_left_is_logged_and_changes_no_exit_code(tmp_path, caplog):
    leave_last_words(tmp_path / "missing" / "file", LastWords(reason="out of luck"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "out of luck" in record.getMessage()
