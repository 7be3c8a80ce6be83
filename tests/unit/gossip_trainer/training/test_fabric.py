from datetime import timedelta

import pytest

from gossip_trainer.errors import DeviceError
from gossip_trainer.training.fabric import look_after

LONG = timedelta(seconds=10)


class Work:
    """Is done when it has been asked so often."""

    def __init__(self, asked):
        self.left = asked

    def is_completed(self):
        self.left -= 1
        return self.left < 0


def test_an_operation_is_looked_after_until_it_is_done():
    work = Work(asked=3)
    look_after(work, LONG, lambda: "")
    assert work.left == -1


def test_an_operation_whose_partner_is_lost_is_given_up_with_the_reason():
    lost = iter(["", "", "it was killed by signal 9"])
    with pytest.raises(DeviceError, match="killed by signal 9"):
        look_after(Work(asked=10**9), LONG, lambda: next(lost))


def test_an_operation_that_is_never_done_is_given_up_at_the_deadline():
    with pytest.raises(DeviceError, match="was not done within"):
        look_after(Work(asked=10**9), timedelta(0), lambda: "")
