"""The folder of an invented run in which a worker lags, and one is lost and replaced."""

from pathlib import Path

import pytest
from invented_run import records_of_a_run, write_run


@pytest.fixture
def records():
    return records_of_a_run()


@pytest.fixture
def write():
    """Write records into the folder of a run."""
    return write_run


@pytest.fixture
def run_folder(tmp_path, records) -> Path:
    return write_run(tmp_path / "digits", records)
