from gossip_trainer.algorithms.view import Member, make_view


def test_members_are_sorted_by_rank_whatever_the_order_they_came_in():
    view = make_view(7, {3: 0, 0: 2, 1: 0})
    assert view.version == 7
    assert view.members == (Member(0, 2), Member(1, 0), Member(3, 0))
    assert view.ranks == (0, 1, 3)
