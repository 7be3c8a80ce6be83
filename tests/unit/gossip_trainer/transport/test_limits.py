"""Bounds that bound something."""

from dataclasses import fields

import pytest

from gossip_trainer.transport.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_bound_that_means_never_or_for_ever_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Limits(**{name: value})
