"""How processes find and trust each other on a cluster."""

import pytest
from pydantic import ValidationError

from gossip_api.network import Discovery, Security


def test_pods_watch_endpoint_slices_and_trust_only_their_own_by_default():
    assert Discovery() == Discovery(port=29400, source="EndpointSlices")
    assert Security().mutual_tls


def test_mutual_tls_is_spelled_as_people_spell_it():
    assert not Security.model_validate({"mutualTLS": False}).mutual_tls
    with pytest.raises(ValidationError, match="mutualTls"):
        Security.model_validate({"mutualTls": False})


@pytest.mark.parametrize("wrong", [{"port": 80}, {"port": 65535}, {"source": "Rumours"}])
def test_ports_that_need_privileges_or_leave_no_next_one_are_refused(wrong):
    with pytest.raises(ValidationError):
        Discovery.model_validate(wrong)
