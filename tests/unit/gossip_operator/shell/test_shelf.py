from gossip_operator.shell import shelf
from gossip_operator.shell.shelf import Shelf


def test_only_what_differs_is_news():
    views = Shelf[str]()
    assert views.put("a", 1, "young")
    assert not views.put("a", 2, "young")
    assert views.put("a", 3, "old")


def test_what_is_older_than_what_is_there_is_ignored():
    views = Shelf[str]()
    views.put("a", 5, "new")
    assert not views.put("a", 4, "old")
    assert views.get("a") == "new"


def test_what_was_removed_does_not_come_back():
    views = Shelf[str]()
    views.put("a", 5, "there")
    assert views.remove("a") == "there"
    assert not views.put("a", 9, "late news of it")
    assert views.get("a") is None


def test_news_of_the_removal_may_come_before_all_others():
    views = Shelf[str]()
    assert views.remove("a") is None
    assert not views.put("a", 1, "late")


def test_only_so_many_removals_are_remembered(monkeypatch):
    monkeypatch.setattr(shelf, "MAX_GONE", 2)
    views = Shelf[str]()
    for uid in "abc":
        views.remove(uid)
    assert views.put("a", 1, "forgotten")
    assert not views.put("c", 1, "remembered")


def test_a_list_shows_what_vanished_but_not_what_came_after_it():
    views = Shelf[str]()
    views.put("vanished", 3, "x")
    views.put("listed", 4, "x")
    views.put("came later", 9, "x")
    views.put("elsewhere", 3, "y")
    assert views.missing({"listed"}, 5, lambda view: view == "x") == ["vanished"]
