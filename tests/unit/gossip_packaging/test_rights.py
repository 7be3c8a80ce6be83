"""Cutting a role's rules out of manifests."""

import pytest

from gossip_packaging.rights import rules_of

TEXT = """\
kind: ServiceAccount
metadata: {name: operator}
---
# Before the role.
kind: Role
metadata: {name: operator}
rules:
# Why.
- verbs: [get]
---
kind: Role
metadata: {name: leader}
rules:
- verbs: [update]
"""


def test_a_roles_rules_keep_their_comments():
    assert rules_of(TEXT, "Role", "operator") == "# Why.\n- verbs: [get]\n"
    assert rules_of(TEXT, "Role", "leader") == "- verbs: [update]\n"


def test_a_role_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="no ClusterRole operator"):
        rules_of(TEXT, "ClusterRole", "operator")


def test_fields_after_the_rules_are_an_error():
    text = f"{TEXT}metadata2: {{}}\n"
    with pytest.raises(ValueError, match="Role leader: its rules must be the last"):
        rules_of(text, "Role", "leader")
