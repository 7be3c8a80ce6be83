"""The jobs, pods and nodes as last seen: what plans are made of instead of asking again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gossip_operator.shell.kube import version_of
from gossip_operator.shell.projections import (
    Key,
    OwnedPod,
    job_view,
    key_of,
    lost_since,
    owned_pod,
)
from gossip_operator.shell.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from gossip_operator.core.observed import JobView, PodView

Raw = dict[str, Any]


class Mirror:
    """Takes in news from watches, lists and own writes, and says which jobs they concern.

    Args:
        changed: called with the key of a job whenever something of it changed.

    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._jobs: Shelf[JobView] = Shelf()
        self._uids: dict[Key, str] = {}
        self._pods: Shelf[OwnedPod] = Shelf()
        self._pods_of: defaultdict[str, set[str]] = defaultdict(set)
        self._lost_nodes: dict[str, float] = {}

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of all jobs."""
        return tuple(self._uids)

    @property
    def lost_nodes(self) -> Mapping[str, float]:
        """The nodes that Kubernetes marks unreachable, and since when."""
        return MappingProxyType(self._lost_nodes)

    @property
    def num_pods(self) -> int:
        """How many pods of jobs there are."""
        return len(self._pods)

    def job(self, key: Key) -> JobView | None:
        """Return the job of that name, if there is one."""
        uid = self._uids.get(key)
        return None if uid is None else self._jobs.get(uid)

    def jobs(self) -> tuple[JobView, ...]:
        """Return all jobs."""
        return tuple(job for key in self.keys if (job := self.job(key)) is not None)

    def call_all(self) -> None:
        """Have all jobs looked at, for something has changed that concerns them all."""
        for key in self.keys:
            self._changed(key)

    def job_version(self, uid: str) -> int:
        """Return the resource version of a job that is there."""
        return self._jobs.version(uid)

    def pods(self, job_uid: str) -> tuple[PodView, ...]:
        """Return the pods of a job."""
        uids = self._pods_of.get(job_uid, ())
        views = [owned.view for uid in uids if (owned := self._pods.get(uid)) is not None]
        return tuple(sorted(views, key=lambda view: view.member))

    def take_job(self, raw: Raw) -> bool:
        """Take in a job; tell whether it is news."""
        metadata, view = raw["metadata"], job_view(raw)
        if not self._jobs.put(view.uid, version_of(metadata), view):
            return False
        key = key_of(metadata)
        present = self._uids.get(key)
        if present is None or self._jobs.version(present) <= self._jobs.version(view.uid):
            self._uids[key] = view.uid
        self._changed(key)
        return True

    def drop_job(self, uid: str) -> bool:
        """Take in that a job is gone; tell whether it was there."""
        view = self._jobs.remove(uid)
        if view is None:
            return False
        key = Key(view.namespace, view.name)
        if self._uids.get(key) == uid:
            del self._uids[key]
        self._changed(key)
        return True

    def take_pod(self, raw: Raw) -> bool:
        """Take in a pod; tell whether it is news."""
        owned = owned_pod(raw)
        return owned is not None and self._put_pod(version_of(raw["metadata"]), owned)

    def mark_deleted(self, uid: str, at: float) -> None:
        """Take in that the API server was told to delete a pod, before it says how that goes."""
        owned = self._pods.get(uid)
        if owned is not None and owned.view.deleted is None:
            view = replace(owned.view, deleted=at)
            self._put_pod(self._pods.version(uid), owned._replace(view=view))

    def drop_pod(self, uid: str) -> bool:
        """Take in that a pod is gone; tell whether it was there."""
        owned = self._pods.remove(uid)
        if owned is None:
            return False
        pods = self._pods_of[owned.owner]
        pods.discard(uid)
        if not pods:
            del self._pods_of[owned.owner]
        self._changed(owned.job)
        return True

    def take_node(self, raw: Raw) -> bool:
        """Take in a node; tell whether it was lost or came back."""
        return self._set_lost(raw["metadata"]["name"], lost_since(raw))

    def drop_node(self, name: str) -> bool:
        """Take in that a node is gone, and its pods with it soon."""
        return self._set_lost(name, None)

    def end_list_of_jobs(self, scope: str | None, listed: Collection[str], version: int) -> int:
        """Drop the jobs that a list lacks; return how many."""
        missing = self._jobs.missing(listed, version, lambda view: scope in {None, view.namespace})
        return sum(self.drop_job(uid) for uid in missing)

    def end_list_of_pods(self, scope: str | None, listed: Collection[str], version: int) -> int:
        """Drop the pods that a list lacks; return how many."""
        missing = self._pods.missing(
            listed, version, lambda owned: scope in {None, owned.job.namespace}
        )
        return sum(self.drop_pod(uid) for uid in missing)

    def end_list_of_nodes(self, listed: Collection[str]) -> int:
        """Forget the lost nodes that a list lacks; return how many."""
        return sum(self.drop_node(name) for name in self._lost_nodes.keys() - set(listed))

    def _put_pod(self, version: int, owned: OwnedPod) -> bool:
        uid = owned.view.uid
        if not self._pods.put(uid, version, owned):
            return False
        self._pods_of[owned.owner].add(uid)
        self._changed(owned.job)
        return True

    def _set_lost(self, name: str, since: float | None) -> bool:
        if since == self._lost_nodes.get(name):
            return False
        if since is None:
            del self._lost_nodes[name]
        else:
            self._lost_nodes[name] = since
        for key in {owned.job for owned in self._pods if owned.view.node == name}:
            self._changed(key)
        return True
