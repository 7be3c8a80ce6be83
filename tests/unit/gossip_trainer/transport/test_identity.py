"""Who may exchange models with whom."""

from dataclasses import replace

import pytest

from gossip_trainer.transport.identity import Identity, common_version, objection

OWN = Identity("job-1", "worker-0-0", "layout-1", 400)
PEER = replace(OWN, member="worker-1-0")


def test_members_of_one_job_and_model_have_nothing_against_each_other():
    assert objection(OWN, PEER) is None


@pytest.mark.parametrize(
    ("change", "both"),
    [
        ({"job": "job-2"}, ("job-1", "job-2")),
        ({"digest": "layout-2"}, ("layout-1", "layout-2")),
        ({"num_bytes": 800}, ("400 bytes", "800 bytes")),
        ({"oldest": 2, "newest": 2}, ("1 to 1", "2 to 2")),
    ],
)
def test_an_objection_names_both_sides(change, both):
    text = objection(OWN, replace(PEER, **change))
    assert all(side in text for side in (*both, "worker-0-0", "worker-1-0"))


@pytest.mark.parametrize(
    ("own", "other", "common"),
    [((1, 1), (1, 1), 1), ((1, 3), (2, 5), 3), ((4, 5), (1, 4), 4), ((1, 2), (3, 4), None)],
)
def test_the_newest_version_that_both_speak_is_chosen(own, other, common):
    one = replace(OWN, oldest=own[0], newest=own[1])
    two = replace(PEER, oldest=other[0], newest=other[1])
    assert common_version(one, two) == common_version(two, one) == common
