"""The servers, which together hold one model."""

import pytest
from pydantic import ValidationError

from gossip_api.server import Server


def test_one_server_holds_the_whole_model_by_default():
    assert Server().shards == 1


@pytest.mark.parametrize("shards", [0, 65, 1.5, True])
def test_an_impossible_number_of_shards_is_refused(shards):
    with pytest.raises(ValidationError):
        Server.model_validate({"shards": shards})
