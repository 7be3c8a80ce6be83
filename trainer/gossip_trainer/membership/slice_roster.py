"""Keeps a roster by watching the job's EndpointSlices.

The watch goes on where it was cut off, lists anew when the server has forgotten that moment, and
tries again with growing pauses while the server is away. The last roster stays meanwhile: training
needs neither the operator nor the API server.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.api_server import ApiExpired, ApiForbidden, ApiUnavailable
from gossip_trainer.membership.endpoint_slices import EndpointSlice, Metadata, roster_from
from gossip_trainer.membership.roster import Endpoint, OnRoster, Roster, RosterSource

log: Final = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 8.0
WATCH_SECONDS: Final = (240, 300)  # drawn anew each time: a thousand watches do not end together
REFUSALS_BEFORE_FALLBACK: Final = 4  # a role binding may be a moment younger than the pod
CLOSE_SECONDS: Final = 1.0


class Api(Protocol):
    """Lists and watches."""

    def get(self, path: str, **parameters: str) -> bytes:
        """Return the body of the answer to a GET."""
        ...

    def watch(self, path: str, seconds: int, **parameters: str) -> Iterator[bytes]:
        """Yield the lines of a watch until the server ends it."""
        ...

    def close(self) -> None:
        """Let what is under way fail."""
        ...


class _List(msgspec.Struct, frozen=True):
    metadata: Metadata
    items: tuple[EndpointSlice, ...]


class _Change(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Marked(msgspec.Struct, frozen=True):
    metadata: Metadata


class _Problem(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class SliceRoster:
    """Watches the EndpointSlices of one Service in a thread of its own.

    Args:
        api: the API server.
        namespace: of the job.
        service: its headless Service.
        job: the job's name, with which its pods' names begin.
        own: the own endpoint: its address tells the IP family, its port that of everybody.
        fall_back: opens the source of membership to use while slices may not be read.
        on_roster: told of every new roster.

    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        service: str,
        job: str,
        own: Endpoint,
        fall_back: Callable[[], RosterSource],
        on_roster: OnRoster = lambda _roster: None,
    ) -> None:
        self._api = api
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._selector = f"kubernetes.io/service-name={service}"
        self._job = job
        self._own = own
        self._fall_back = fall_back
        self._on_roster = on_roster
        self._slices: dict[str, EndpointSlice] = {}
        self._roster = Roster()
        self._fallback: RosterSource | None = None
        self._version = ""  # to watch from; empty before the first list
        self._pause = FIRST_PAUSE_SECONDS
        self._refusals = 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep_watching, name="roster", daemon=True)
        self._thread.start()

    @property
    def roster(self) -> Roster:
        """The newest roster."""
        fallback = self._fallback
        return self._roster if fallback is None else fallback.roster

    def announce(self, endpoint: Endpoint) -> None:
        """Do nothing: Kubernetes sees by the readiness probe that the process serves."""

    def withdraw(self, endpoint: Endpoint) -> None:
        """Do nothing, as in `announce`."""

    def close(self) -> None:
        """Stop the watch."""
        self._closed.set()
        self._api.close()
        self._thread.join(timeout=CLOSE_SECONDS)
        if self._fallback is not None:
            self._fallback.close()

    def _keep_watching(self) -> None:
        while not self._closed.is_set():
            try:
                self._version = self._version or self._list()
                heard = self._watch()
            except ApiExpired:
                self._version, heard = "", False
            except ApiForbidden as error:
                heard = False
                self._refused(error)
            except (MembershipError, msgspec.DecodeError) as error:
                heard = False
                if not self._closed.is_set():
                    log.warning("the roster stays as it is for now: %s", error)
            if not heard:
                self._closed.wait(self._pause * random.uniform(0.5, 1.5))  # noqa: S311
                self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def _watch(self) -> bool:
        """Take in changes until the server ends the watch; False if it did so at once."""
        heard = False
        for line in self._api.watch(
            self._path,
            random.randint(*WATCH_SECONDS),  # noqa: S311 - spreads load, no secret
            labelSelector=self._selector,
            resourceVersion=self._version,
        ):
            self._version, self._pause, heard = self._take_in(line), FIRST_PAUSE_SECONDS, True
            self._allowed()
        return heard

    def _list(self) -> str:
        """List the slices anew; return the version to watch from."""
        body = self._api.get(self._path, labelSelector=self._selector)
        listed = msgspec.json.decode(body, type=_List)
        self._slices = {item.metadata.name: item for item in listed.items}
        self._publish()
        self._pause = FIRST_PAUSE_SECONDS
        return listed.metadata.resource_version

    def _take_in(self, line: bytes) -> str:
        """Take in one line of a watch; return the version to go on from."""
        change = msgspec.json.decode(line, type=_Change)
        match change.type:
            case "ADDED" | "MODIFIED" | "DELETED":
                each = msgspec.json.decode(change.object, type=EndpointSlice)
                self._slices.pop(each.metadata.name, None)
                if change.type != "DELETED":
                    self._slices[each.metadata.name] = each
                self._publish()
                return each.metadata.resource_version
            case "BOOKMARK":
                marked = msgspec.json.decode(change.object, type=_Marked)
                return marked.metadata.resource_version
            case _:
                problem = msgspec.json.decode(change.object, type=_Problem)
                kind = ApiExpired if problem.code == 410 else ApiUnavailable
                raise kind(f"the watch ended: {problem.code} {problem.message}")

    def _publish(self) -> None:
        own = self._own
        roster = roster_from(self._slices.values(), self._job, host=own.host, port=own.port)
        if roster != self._roster:
            self._roster = roster
            self._on_roster(roster)

    def _allowed(self) -> None:
        self._refusals = 0
        fallback, self._fallback = self._fallback, None
        if fallback is not None:
            log.warning("EndpointSlices can be read again; DNS is not asked any more")
            fallback.close()

    def _refused(self, error: ApiForbidden) -> None:
        self._refusals += 1
        if self._refusals != REFUSALS_BEFORE_FALLBACK or self._fallback is not None:
            return
        log.warning(
            "EndpointSlices may not be read, so peers are looked up by DNS, which is slower: %s. "
            "Let the pod's service account list and watch endpointslices.discovery.k8s.io",
            error,
        )
        self._fallback = self._fall_back()
