"""What rights requests take, to compare what an operator asks for with what it is granted."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from fault_proxy import WATCH, Seen

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v[^/]+"
    r"(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", WATCH: "watch"}
CREATED = 201


class Right(NamedTuple):
    """What a rule grants: a verb upon a resource of an API group."""

    group: str
    resource: str
    verb: str


def asked(requests: Iterable[Seen]) -> set[Right]:
    """Return the rights that requests take; what everybody may ask, such as versions, is none."""
    found = set()
    for seen in requests:
        match = _PATH.fullmatch(seen.path)
        if match is None:
            continue
        resource = "/".join(filter(None, (match["resource"], match["sub"])))
        verb = _VERBS.get(seen.kind) or ("get" if match["name"] else "list")
        found.add(Right(match["group"] or "", resource, verb))
        if (seen.kind, seen.status) == ("PATCH", CREATED):  # what is applied may have to be made
            found.add(Right(match["group"] or "", resource, "create"))
    return found


def granted(rules: Iterable[dict[str, Any]]) -> set[Right]:
    """Return the rights that the rules of a role give."""
    return {
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def refused(requests: Iterable[Seen], namespace: str) -> list[Seen]:
    """Return what was forbidden in a namespace or cluster-wide; others' namespaces may be going."""
    other = re.compile(rf"/namespaces/(?!{re.escape(namespace)}(/|$))")
    return [seen for seen in requests if seen.status == 403 and not other.search(seen.path)]
