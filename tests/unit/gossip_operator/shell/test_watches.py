from itertools import islice

from gossip_operator.shell.watches import BackOffs, kopf_settings


def test_kopf_never_gives_up_a_watch_and_begins_with_short_pauses_each_time():
    back_offs = BackOffs()
    for _ in range(2):
        pauses = list(islice(back_offs, 500))
        assert pauses[0] <= 0.5
        assert max(pauses) <= 10.0
        assert min(pauses[10:]) >= 5.0


def test_kopf_sees_only_pods_of_jobs_and_posts_nothing():
    settings = kopf_settings()
    assert settings.watching.label_selectors["", "v1", "pods"] == "gossip.training/job-name"
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
