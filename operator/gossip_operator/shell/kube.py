"""A thin client of the API server: dictionaries in and out, every request with a deadline.

It stands on the ApiClient of `kubernetes.aio`, which brings credentials and TLS; its typed classes
would cost half a second and 24 MiB at start.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from kubernetes.aio.config.config_exception import ConfigException

from gossip_api.names import FIELD_MANAGER
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError, NotLeadingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from kubernetes.aio.client import ApiClient

    from gossip_operator.shell.pacing import TokenBucket
    from gossip_operator.shell.resources import Resource

Json = dict[str, Any]

DEADLINE_SECONDS: Final = 20.0
PAGE_SIZE: Final = 500
READS: Final = frozenset({"get", "list"})
_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "apply": "PATCH",
    "delete": "DELETE",
}
_JSON: Final = "application/json"
_BODY_TYPES: Final = {
    "patch": "application/merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    resource: Resource
    path: str
    body: Json | None = None
    accept: str = _JSON
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; all parts are of the same moment, the list's version."""

    version: int
    items: list[Json]


def version_of(metadata: Mapping[str, Any]) -> int:
    """Read a resource version; Kubernetes promises that those of one kind can be compared."""
    text = str(metadata.get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


class Kube:
    """The verbs.

    Args:
        api: brings credentials, TLS and connections.
        bucket: paces the requests.
        note: told of every request: verb, plural, status (0 for no answer), seconds.
        seconds_to_write: for how long this replica may surely write; infinite without election.

    """

    def __init__(
        self,
        api: ApiClient,
        *,
        bucket: TokenBucket | None = None,
        note: Callable[[str, str, int, float], None] = lambda *_: None,
        seconds_to_write: Callable[[], float] = lambda: math.inf,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._api = api
        self._bucket = bucket
        self._note = note
        self._seconds_to_write = seconds_to_write
        self._deadline_seconds = deadline_seconds

    async def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """Read one object."""
        return await self._call(_Request("get", resource, resource.path(namespace, name)))

    async def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """Return the metadata of an object, None if it is not there; needs the right to list."""
        query = {"fieldSelector": f"metadata.name={name}"}
        request = _Request(
            "list", resource, resource.path(namespace), accept=_METADATA_LIST, query=query
        )
        items = (await self._call(request)).get("items") or [{"metadata": None}]
        metadata: Json | None = items[0]["metadata"]
        return metadata

    async def pages(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        selector: str = "",
        only_metadata: bool = False,
    ) -> AsyncIterator[Page]:
        """List all objects of a kind as of one moment, some hundreds at a time."""
        query = {"limit": str(PAGE_SIZE)} | ({"labelSelector": selector} if selector else {})
        accept = _METADATA_LIST if only_metadata else _JSON
        token: str | None = ""
        while token is not None:
            parts = query | ({"continue": token} if token else {})
            request = _Request(
                "list", resource, resource.path(namespace), accept=accept, query=parts
            )
            answer = await self._call(request)
            yield Page(version_of(answer["metadata"]), answer.get("items") or [])
            token = answer["metadata"].get("continue") or None

    async def serves(self, resource: Resource) -> bool:
        """Tell whether the API server knows a kind."""
        try:
            answer = await self._call(_Request("get", resource, resource.root))
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(served["name"] == resource.plural for served in answer["resources"])

    async def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        """Create an object; ApiError 409 if one of the name is there."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call(
            _Request("create", resource, resource.path(namespace), body, query=query)
        )

    async def apply(self, resource: Resource, body: Json, *, subresource: str = "") -> Json:
        """Apply the fields that are ours, on the server; fields left out now go."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call(_Request("apply", resource, path, body, query=query))

    async def patch(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        """Merge `body` into an object."""
        return await self._call(_Request("patch", resource, resource.path(namespace, name), body))

    async def update(self, resource: Resource, body: Json) -> Json:
        """Replace an object of the same resource version; ApiError 409 if it has another."""
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._call(_Request("update", resource, path, body))

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> Json:
        """Delete the object of this uid; ApiError 409 if the name has another one's by now."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        return await self._call(_Request("delete", resource, resource.path(namespace, name), body))

    async def _call(self, request: _Request) -> Json:
        if self._bucket is not None:
            await asyncio.sleep(self._bucket.reserve())
        seconds = self._deadline_seconds
        if request.verb not in READS:
            seconds = min(seconds, self._seconds_to_write())
            if seconds <= 0.0:
                raise NotLeadingError(f"did not {request.verb} {request.path}: another may lead")
        started, status = time.perf_counter(), 0
        try:
            async with asyncio.timeout(seconds):
                status, content, wait = await self._send(request)
        except (aiohttp.ClientError, OSError, ConfigException) as error:
            text = f"no answer in {seconds:.0f} s" if isinstance(error, TimeoutError) else error
            message = f"{request.verb} {request.path}: {text}"
            raise ApiError(0, "Unreachable", message) from error
        finally:
            took = time.perf_counter() - started
            self._note(request.verb, request.resource.plural, status, took)
        if wait is not None and self._bucket is not None:
            self._bucket.hold(wait)  # it is too busy for all requests, not for this one alone
        return _read(request, status, content, wait)

    async def _send(self, request: _Request) -> tuple[int, bytes, float | None]:
        method, url, headers, body, _ = await self._api.param_serialize(
            _METHODS[request.verb],
            request.path,
            query_params=list(request.query.items()),
            header_params={
                "Accept": request.accept,
                "Content-Type": _BODY_TYPES.get(request.verb, _JSON),
            },
            body=request.body,
            auth_settings=["BearerToken"],
        )
        response = await self._api.call_api(method, url, header_params=headers, body=body)
        content: bytes = await response.response.read()
        wait = response.headers.get("Retry-After") or ""
        return response.status, content, float(wait) if wait.isdigit() else None


def _read(request: _Request, status: int, content: bytes, wait: float | None) -> Json:
    """Make an object of an answer, or an error."""
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and status < 300:
        return answer
    if not isinstance(answer, dict):
        text = content[:200].decode(errors="replace").strip()
        answer = {"reason": "NoJson", "message": f"{request.verb} {request.path}: got {text!r}"}
    reason, message = answer.get("reason") or "Unknown", answer.get("message") or ""
    causes = (answer.get("details") or {}).get("causes") or []
    going = any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
    error = NamespaceTerminatingError if going else ApiError
    raise error(status if status >= 300 else 0, reason, message, retry_after=wait)
