from gossip_trainer.data.sampler import Share
from gossip_trainer.training.rank import share_among


def test_the_first_epoch_is_divided_among_all_of_the_job_whoever_is_there():
    assert share_among(2, 4, lambda: {2}, epoch=0) == Share(2, 4)
    assert share_among(5, 4, lambda: {5}, epoch=0) == Share(1, 4)


def test_while_nobody_comes_or_goes_the_shares_stay():
    assert [share_among(rank, 4, lambda: {0, 1, 2, 3}, 7) for rank in range(4)] == [
        Share(rank, 4) for rank in range(4)
    ]


def test_a_later_epoch_is_divided_among_those_that_are_there():
    live = {0, 3, 5}
    shares = [share_among(rank, 4, lambda: live, epoch=1) for rank in sorted(live)]
    assert shares == [Share(0, 3), Share(1, 3), Share(2, 3)]


def test_a_worker_that_nobody_lists_yet_counts_itself():
    assert share_among(1, 4, lambda: {0}, epoch=2) == Share(1, 2)
