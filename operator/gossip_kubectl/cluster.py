"""The API server by its REST interface: JSON objects in and out, lines of what streams.

Every request has a deadline. Credentials, proxies and certificates are the official client's
matter, which reads them from the kubeconfig as kubectl does.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from gossip_api.names import API_VERSION, GROUP, JOB_NAME_LABEL, KIND, PLURAL
from gossip_kubectl.errors import InvalidCommand, Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import BaseHTTPResponse

Object = dict[str, Any]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
PAGE = 500
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Connection:
    """Whom to ask, as kubectl's options of these names say; None is what the kubeconfig says."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


class Cluster:
    """One API server.

    Attributes:
        namespace: the one meant where a command names none.

    """

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    def get(self, path: str, *, seconds: float = ANSWER_SECONDS, **query: str) -> Object:
        """Read one object, or a list whole."""
        with self._request("GET", path, query, seconds=seconds) as response:
            return _json(response.data)

    def items(self, path: str, **query: str) -> list[Object]:
        """List objects page by page."""
        found: list[Object] = []
        query = {"limit": str(PAGE), **query}
        while True:
            page = self.get(path, seconds=ANSWER_SECONDS, **query)
            found += page["items"]
            query["continue"] = page.get("metadata", {}).get("continue", "")
            if not query["continue"]:
                return found

    def find(self, path: str) -> Object | None:
        """Read an object; None if there is none."""
        try:
            return self.get(path)
        except Refused as error:
            if error.status == 404 and error.reason == "NotFound":
                return None
            raise

    def apply(self, path: str, body: Object, **query: str) -> Object:
        """Have the server merge what `body` says into the object, which it makes if need be."""
        with self._request("PATCH", path, query, body=json.dumps(body)) as response:
            return _json(response.data)

    def lines(self, path: str, *, seconds: float, **query: str) -> Iterator[str]:
        """Read lines as they come; Unreachable if none comes for so many seconds."""
        with self._request("GET", path, query, seconds=seconds) as response:
            rest = b""
            for chunk in response.stream(amt=None, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")

    @contextmanager
    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: str | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Iterator[BaseHTTPResponse]:
        """Ask; the answer is read inside the context, and what breaks it off is told as ours."""
        headers = {"Accept": "application/json, */*"} | ({"Content-Type": APPLY} if body else {})
        try:
            request = self._client.param_serialize(
                method,
                path,
                query_params=sorted(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            timeout = (min(CONNECT_SECONDS, seconds), seconds)
            answer = self._client.call_api(*request, _request_timeout=timeout).response
            try:
                if answer.status >= 400:
                    raise _refusal(answer.status, answer.data)
                yield answer
            finally:
                answer.close()
        except (HTTPError, ApiException, OSError) as error:
            text = " ".join(str(error).split())
            raise Unreachable(
                f"{self._client.configuration.host} does not answer: {text}"
            ) from error


def connect(connection: Connection) -> Cluster:
    """Read the kubeconfig; a pod without one uses its service account."""
    settings = Configuration()
    settings.retries = False  # who asks knows how long to try
    try:
        if _is_in_pod(connection):
            config.load_incluster_config(client_configuration=settings)
            return Cluster(ApiClient(settings), connection.namespace or _own_namespace())
        contexts, active = config.list_kube_config_contexts(connection.kubeconfig)
        config.load_kube_config(
            connection.kubeconfig,
            connection.context,
            client_configuration=settings,
            persist_config=False,
        )
    except (ConfigException, YAMLError, OSError) as error:
        message = f"the kubeconfig is of no use: {error}; see --kubeconfig and --context"
        raise InvalidCommand(message) from error
    named = {context["name"]: context for context in contexts}
    context = named[connection.context] if connection.context else active
    namespace = context["context"].get("namespace") or "default"
    return Cluster(ApiClient(settings), connection.namespace or namespace)


def jobs_path(namespace: str | None) -> str:
    """Where the jobs of a namespace are, or those of all."""
    inside = f"namespaces/{namespace}/" if namespace is not None else ""
    return f"/apis/{API_VERSION}/{inside}{PLURAL}"


def job_path(namespace: str, name: str) -> str:
    """Where a job is."""
    return f"{jobs_path(namespace)}/{name}"


def pods_path(namespace: str) -> str:
    """Where the pods of a namespace are."""
    return f"/api/v1/namespaces/{namespace}/pods"


def events_path(namespace: str) -> str:
    """Where the Events of a namespace are."""
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def pods_of(job: str) -> str:
    """Select the pods of a job by their labels."""
    return f"{JOB_NAME_LABEL}={job}"


_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def _is_in_pod(connection: Connection) -> bool:
    chosen = connection.kubeconfig or connection.context or os.environ.get("KUBECONFIG")
    is_configured = chosen or (Path.home() / ".kube" / "config").exists()
    return not is_configured and (_ACCOUNT / "token").exists()


def _own_namespace() -> str:
    return (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()


def _json(content: bytes) -> Object:
    document = json.loads(content)
    assert isinstance(document, dict), "the API server answers with objects"
    return document


def _refusal(status: int, content: bytes) -> Refused:
    """Make an error of the Status that the API server answers with; proxies answer otherwise."""
    try:
        found = json.loads(content)
        return Refused(status, str(found["reason"]), str(found["message"]))
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace").strip() or "no message"
    if status == 404:  # a path that the server does not serve
        text += f"; is the definition of {KIND} installed? See kubectl get crd {PLURAL}.{GROUP}"
    return Refused(status, "Unknown", f"the API server answers {status}: {text[:300]}")
