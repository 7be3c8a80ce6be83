"""The rules of roles, cut out of the manifests with their comments."""

from __future__ import annotations

import re

import yaml


def rules_of(manifests: str, kind: str, name: str) -> str:
    """Return the text of a role's rules, of several YAML documents.

    ValueError if there is no such role, or if something comes after its rules.
    """
    for text in manifests.split("\n---\n"):
        document = yaml.safe_load(text)
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            _, _, rules = text.partition("\nrules:\n")
            if re.search(r"^[a-z]", rules, flags=re.MULTILINE):
                raise ValueError(f"{kind} {name}: its rules must be the last of its fields")
            return rules.rstrip("\n") + "\n"
    raise ValueError(f"there is no {kind} {name} in these manifests")
