import msgspec
from invented_run import records_of_a_run

from gossip_trainer.observability.events import Called, ExchangeLost, Progress
from gossip_trainer.page.meetings import MOST_NAMES, Meetings


def lost(source, peer):
    return ExchangeLost(source=source, peer=peer, step=1, reason="gone")


def answered(source, peer):
    told = next(each for each in records_of_a_run() if isinstance(each, Progress))
    return msgspec.structs.replace(told, source=source, met={peer: 1})


def test_completed_and_lost_exchanges_are_counted_by_who_asked_whom():
    completed, vain = Meetings.of(
        [
            answered("worker-0-0", "worker-1-0"),
            answered("worker-0-0", "worker-1-0"),
            lost("worker-1-0", "worker-0-0"),
        ]
    ).matrices()

    assert (completed.title, vain.title) == ("exchanges completed", "exchanges lost")
    assert completed.rows == completed.columns == vain.rows == ("worker 0", "worker 1")
    assert completed.counts == ((0, 2), (0, 0))
    assert vain.counts == ((0, 0), (1, 0))


def test_incarnations_of_a_rank_count_together():
    (matrix,) = Meetings.of(
        [answered("worker-0-0", "worker-1-0"), answered("worker-0-1", "worker-1")]
    ).matrices()

    assert matrix.counts == ((2,),)


def test_servers_come_after_the_workers():
    (matrix,) = Meetings.of(
        [answered("worker-0-0", "server-0"), answered("worker-0-0", "worker-1-0")]
    ).matrices()

    assert matrix.columns == ("worker 1", "server 0")


def test_what_is_not_with_one_member_is_left_out():
    assert Meetings.of([lost("worker-0-0", "everybody"), Called(call="step")]).matrices() == ()


def test_many_ranks_share_rows():
    (matrix,) = Meetings.of(
        [answered(f"worker-{rank}-0", f"worker-{(rank + 1) % 1000}-0") for rank in range(1000)]
    ).matrices()

    assert len(matrix.rows) <= MOST_NAMES
    assert matrix.rows[0] == "worker 0 to 20"
    assert sum(map(sum, matrix.counts)) == 1000
