"""Which children of the jobs are there, pods aside: names, owners and digests, never contents."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from gossip_api.names import APPLIED_HASH_ANNOTATION, JOB_NAME_LABEL, tls_name
from gossip_operator.shell.kube import version_of
from gossip_operator.shell.projections import Key, controller_uid
from gossip_operator.shell.resources import SECRET
from gossip_operator.shell.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Raw = dict[str, Any]


class Child(NamedTuple):
    """An object that bears the name of a job's child.

    Attributes:
        owner: uid of its controller; empty if it has none.
        digest: of what was last applied; empty if nothing ever was.

    """

    job: Key
    kind: str
    name: str
    owner: str
    digest: str


class Inventory:
    """Takes in metadata from lists and answers, and says which jobs they concern.

    Args:
        changed: called with the key of a job whenever a child of it changed.

    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._children: Shelf[Child] = Shelf()
        self._of: defaultdict[Key, dict[tuple[str, str], str]] = defaultdict(dict)

    def applied(self, job: Key, uid: str) -> dict[tuple[str, str], str | None]:
        """Map kind and name of every child to its digest; None for one that is not this job's."""
        return {
            place: child.digest if child.owner == uid else None
            for place, child in self._present(job).items()
            if child.kind != SECRET.kind
        }

    def find(self, job: Key, kind: str, name: str) -> Child | None:
        """Return the child of that name, whoever's it is, if there is one."""
        return self._present(job).get((kind, name))

    def has_credentials(self, job: Key, uid: str) -> bool:
        """Tell whether the job's Secret is there."""
        child = self.find(job, SECRET.kind, tls_name(job.name))
        return child is not None and child.owner == uid

    def take(self, kind: str, metadata: Mapping[str, Any], job: Key | None = None) -> bool:
        """Take in an object; the job is read from its label if not given. Tell if it is news."""
        label = (metadata.get("labels") or {}).get(JOB_NAME_LABEL, "")
        digest = (metadata.get("annotations") or {}).get(APPLIED_HASH_ANNOTATION, "")
        child = Child(
            job=job or Key(metadata["namespace"], label),
            kind=kind,
            name=metadata["name"],
            owner=controller_uid(metadata),
            digest=digest,
        )
        uid = metadata["uid"]
        if not self._children.put(uid, version_of(metadata), child):
            return False
        self._of[child.job][kind, child.name] = uid
        self._changed(child.job)
        return True

    def drop(self, child: Child) -> bool:
        """Take in that a child is gone."""
        uid = self._of.get(child.job, {}).get((child.kind, child.name))
        return uid is not None and self._remove(uid)

    def end_list(self, kind: str, scope: str | None, listed: Collection[str], version: int) -> int:
        """Drop the children that a list lacks; return how many."""
        missing = self._children.missing(
            listed,
            version,
            lambda child: child.kind == kind and scope in {None, child.job.namespace},
        )
        return sum(self._remove(uid) for uid in missing)

    def _present(self, job: Key) -> dict[tuple[str, str], Child]:
        uids = self._of.get(job, {}).items()
        return {
            place: child for place, uid in uids if (child := self._children.get(uid)) is not None
        }

    def _remove(self, uid: str) -> bool:
        child = self._children.remove(uid)
        if child is None:
            return False
        places = self._of[child.job]
        if places.get((child.kind, child.name)) == uid:
            del places[child.kind, child.name]
        if not places:
            del self._of[child.job]
        self._changed(child.job)
        return True
