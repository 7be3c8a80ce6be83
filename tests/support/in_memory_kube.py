"""An API server in a dictionary, for tests of what writes to it: no schema, no controllers."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

from gossip_operator.shell.errors import ApiError
from gossip_operator.shell.resources import JOB, POD, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

Raw = dict[str, Any]


class InMemoryKube:
    """Has the verbs of `Kube` that write, and keeps what was written.

    Attributes:
        objects: by kind and name.
        calls: verb and what it was about, in order.
        refuse: may raise what the API server should answer.

    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Raw] = {}
        self.calls: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str, str], None] = lambda verb, kind, name: None
        self._versions = itertools.count(100)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] not in {"get", "find"}]

    def add(self, kind: str, raw: Raw) -> None:
        self.objects[kind, raw["metadata"]["name"]] = raw

    async def get(self, resource: Resource, namespace: str, name: str) -> Raw:
        self._called("get", resource, name)
        return copy.deepcopy(self._there(resource, name))

    async def find(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        self._called("find", resource, name)
        found = self.objects.get((resource.kind, name))
        return None if found is None else copy.deepcopy(found["metadata"])

    async def create(self, resource: Resource, namespace: str, body: Raw) -> Raw:
        name = body["metadata"]["name"]
        self._called("create", resource, name)
        if (resource.kind, name) in self.objects:
            raise ApiError(409, "AlreadyExists", f"{name} is there")
        return self._write(resource, body, {"uid": f"uid-of-{name}"})

    async def apply(self, resource: Resource, body: Raw, *, subresource: str = "") -> Raw:
        name = body["metadata"]["name"]
        self._called("apply", resource, f"{name}/{subresource}" if subresource else name)
        if not subresource:
            return self._write(resource, body, {"uid": f"uid-of-{name}"})
        there = self._there(resource, name)
        version = body["metadata"].get("resourceVersion")
        if version not in {None, there["metadata"]["resourceVersion"]}:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self._write(resource, there | {subresource: body[subresource]}, {})

    async def update(self, resource: Resource, body: Raw) -> Raw:
        name = body["metadata"]["name"]
        self._called("update", resource, name)
        there = self._there(resource, name)["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != there:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self._write(resource, body, {})

    async def patch(self, resource: Resource, namespace: str, name: str, body: Raw) -> Raw:
        self._called("patch", resource, name)
        return self._write(resource, self._there(resource, name) | body, {})

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> Raw:
        self._called("delete", resource, name)
        there = self._there(resource, name)
        if there["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", "the UID in the precondition does not match")
        if resource in {POD, JOB}:
            gone = {"deletionTimestamp": "2026-01-02T03:05:05Z", "deletionGracePeriodSeconds": 30}
            return self._write(resource, there, gone)
        return self.objects.pop((resource.kind, name))

    def _called(self, verb: str, resource: Resource, name: str) -> None:
        self.calls.append((verb, f"{resource.kind} {name}"))
        self.refuse(verb, resource.kind, name)

    def _there(self, resource: Resource, name: str) -> Raw:
        try:
            return self.objects[resource.kind, name]
        except KeyError:
            raise ApiError(404, "NotFound", f"{name} is not there") from None

    def _write(self, resource: Resource, body: Raw, metadata: Raw) -> Raw:
        raw = copy.deepcopy(body)
        raw["metadata"] |= metadata | {"resourceVersion": str(next(self._versions))}
        raw["metadata"].setdefault("creationTimestamp", "2026-01-02T03:04:05Z")
        self.objects[resource.kind, raw["metadata"]["name"]] = raw
        return copy.deepcopy(raw)
