import errno
import fcntl
import subprocess
import sys

import pytest

from gossip_trainer.errors import RunError
from gossip_trainer.process.claim import claimed

HOLD = """
import sys, time
from pathlib import Path
from gossip_trainer.process.claim import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_made_and_claimed_once_at_a_time(tmp_path):
    folder = tmp_path / "runs" / "digits"
    with claimed(folder), pytest.raises(RunError, match="still goes on"), claimed(folder):
        pass
    with claimed(folder):
        pass


def test_the_claim_of_a_process_that_is_killed_goes_with_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout.readline() == "claimed\n"
            with pytest.raises(RunError), claimed(tmp_path):
                pass
        finally:
            holder.kill()
    with claimed(tmp_path):
        pass


def test_where_the_file_system_knows_no_locks_a_run_goes_on_all_the_same(
    tmp_path, monkeypatch, caplog
):
    def refuse(_file, _operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(tmp_path):
        pass
    assert "cannot be locked against a second run: [Errno 37] No locks available" in caplog.text
