import numpy as np
import pytest

from gossip_trainer.page.tracks import total_at, tracks_of
from gossip_trainer.report.history import fold


@pytest.fixture
def tracks(records):
    return tracks_of(fold(records))


def test_there_is_one_track_for_every_process_that_began(tracks):
    assert [track.worker.name for track in tracks] == [
        "worker-0-0",
        "worker-1-0",
        "worker-2-0",
        "worker-2-1",
        "worker-3-0",
    ]


def test_a_track_begins_with_nothing_done(tracks):
    first, late = tracks[0], tracks[3]

    assert first.seconds.tolist() == list(range(11))
    assert late.seconds.tolist() == [7, 8, 9, 10]
    assert late.steps.tolist() == [0, 90, 180, 270]
    assert np.isnan(late.loss[0])


def test_counts_of_all_processes_are_added_and_those_of_dead_ones_stay(tracks):
    times = np.array([0.0, 0.5, 6.0, 6.5, 10.0])

    samples = total_at(tracks, times, lambda track: track.samples)

    assert samples.tolist() == [0, 1500, 18000, 19050, 29100]
