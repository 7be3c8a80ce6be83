"""The API server by its REST interface: dictionaries in and out."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from testbed.errors import ApiError
from testbed.pki import Pki

Object = dict[str, Any]
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Api:
    """Requests in the name of whoever holds a client certificate."""

    pki: Pki
    user: str = "admin"

    def get(self, path: str, **query: str) -> Object:
        return self.request("GET", path, query=query)

    def list(self, path: str, **query: str) -> list[Object]:
        """List objects; `labelSelector` and `fieldSelector` are queries."""
        return self.get(path, **query)["items"]

    def create(self, path: str, body: Object, **query: str) -> Object:
        return self.request("POST", path, body, query=query)

    def replace(self, path: str, body: Object) -> Object:
        return self.request("PUT", path, body)

    def patch(self, path: str, body: Object, content_type: str = MERGE_PATCH) -> Object:
        return self.request("PATCH", path, body, content_type=content_type)

    def apply(self, path: str, body: Object, manager: str = "test") -> Object:
        """Apply on the server's side, with force."""
        query = {"fieldManager": manager, "force": "true"}
        return self.request("PATCH", path, body, content_type=APPLY, query=query)

    def delete(self, path: str, body: Object | None = None, **query: str) -> Object:
        return self.request("DELETE", path, body, query=query)

    def exists(self, path: str) -> bool:
        try:
            self.get(path)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def is_ready(self) -> bool:
        """Tell whether the server answers and says that it is ready."""
        try:
            connection, response = self._send("GET", "/readyz", None, JSON, seconds=2)
        except (OSError, http.client.HTTPException):
            return False
        try:
            return response.status == 200
        finally:
            connection.close()

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = JSON,
        query: dict[str, str] | None = None,
    ) -> Object:
        """Send one request; ApiError if it is refused."""
        target = _target(path, query or {})
        connection, response = self._send(method, target, body, content_type, seconds=60)
        try:
            text = response.read()
        finally:
            connection.close()
        answer = json.loads(text) if response.headers.get_content_type() == JSON else {}
        if response.status >= 300:
            shown = answer or {"message": text.decode(errors="replace")}
            raise ApiError(f"{method} {path}", response.status, shown)
        return answer

    def watch(
        self, path: str, *, seconds: float, version: str = "", **query: str
    ) -> Iterator[tuple[str, Object]]:
        """Give (ADDED, MODIFIED or DELETED, object) for so many seconds.

        Begins with what is there, or with what follows `version`. Goes on where it was when the
        server ends the watch, which it does with slow watchers.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            options = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version}
            options["timeoutSeconds"] = str(int(left) + 1)
            target = _target(path, query | options)
            connection, response = self._send("GET", target, None, JSON, seconds=left + 5)
            try:
                for event in _events(path, response):
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
                    if time.monotonic() > end:
                        return
            finally:
                connection.close()

    def _send(
        self, method: str, target: str, body: Object | None, content_type: str, *, seconds: float
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        context = ssl.create_default_context(cafile=self.pki.path("ca.crt"))
        context.load_cert_chain(
            self.pki.path(f"{self.user}.crt"), self.pki.path(f"{self.user}.key")
        )
        host = urlsplit(self.pki.url).netloc
        connection = http.client.HTTPSConnection(host, context=context, timeout=seconds)
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, target, content, {"Content-Type": content_type})
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


def _target(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _events(path: str, response: http.client.HTTPResponse) -> Iterator[Object]:
    if response.status >= 300:
        raise ApiError(f"WATCH {path}", response.status, json.loads(response.read()))
    while line := response.readline():
        event = json.loads(line)
        if event["type"] == "ERROR":
            raise ApiError(f"WATCH {path}", event["object"].get("code", 0), event["object"])
        yield event
