"""Membership of a local run: one small file per live process in a directory.

The directory plays the part that EndpointSlices play on a cluster. A process writes its own file
when it serves; the launcher removes the file of a process that died, as Kubernetes removes the
endpoint of a dead pod.
"""

import logging
import os
import threading
from pathlib import Path
from typing import Annotated

import msgspec

from gossip_api.names import Role
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.roster import Endpoint, OnRoster, Roster

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
SUFFIX = ".json"


Natural = Annotated[int, msgspec.Meta(ge=0)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Role
    rank: Natural
    incarnation: Natural
    host: str
    port: Natural
    store_port: Natural
    memory: str = ""


def read_roster(directory: Path) -> Roster:
    """Return who has a file in `directory`; a file that vanishes meanwhile is nobody."""
    endpoints = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            file = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            continue
        except msgspec.DecodeError as error:
            raise MembershipError(f"{path}: not a member's file: {error}") from error
        endpoints.append(
            Endpoint(
                file.role,
                file.rank,
                file.incarnation,
                file.host,
                file.port,
                store_port=file.store_port,
                memory=file.memory,
            )
        )
    return Roster(tuple(endpoints))


def remove_member(directory: Path, name: str) -> None:
    """Remove the file of a process that is gone, if it has one."""
    (directory / f"{name}{SUFFIX}").unlink(missing_ok=True)


class DirectoryRoster:
    """Watches a directory of member files with one thread.

    A member's file is written aside and renamed, so every change of it changes the set of names and
    inodes; an idle watch costs one listing per poll.
    """

    def __init__(
        self,
        directory: Path,
        *,
        on_roster: OnRoster = lambda _roster: None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._directory = directory
        self._on_roster = on_roster
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._seen: frozenset[tuple[str, int]] = frozenset()
        self._roster = Roster()
        directory.mkdir(parents=True, exist_ok=True)
        self._refresh()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="roster", daemon=True)
        self._thread.start()

    @property
    def roster(self) -> Roster:
        """The newest roster."""
        return self._roster

    def announce(self, endpoint: Endpoint) -> None:
        """Write the own file; it appears whole or not at all."""
        file = _File(
            endpoint.role,
            endpoint.rank,
            endpoint.incarnation,
            endpoint.host,
            endpoint.port,
            endpoint.store_port,
            endpoint.memory,
        )
        target = self._directory / f"{endpoint.name}{SUFFIX}"
        aside = target.with_suffix(f".{os.getpid()}")
        aside.write_bytes(msgspec.json.encode(file))
        aside.replace(target)
        self._refresh()

    def withdraw(self, endpoint: Endpoint) -> None:
        """Remove the own file."""
        remove_member(self._directory, endpoint.name)

    def close(self) -> None:
        """Stop the watch."""
        self._closed.set()
        self._thread.join(timeout=5.0)

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_seconds):
            try:
                self._refresh()
            except (MembershipError, OSError) as error:
                # The roster stays as it was; the next poll tries again.
                log.warning("the members in %s cannot be read: %s", self._directory, error)

    def _refresh(self) -> None:
        with self._lock, os.scandir(self._directory) as entries:
            # Listed before the files are read: a change in between is seen at the next poll.
            listed = frozenset((entry.name, entry.inode()) for entry in entries)
            if listed == self._seen:
                return
            roster = read_roster(self._directory)
            if roster != self._roster:
                self._roster = roster
                self._on_roster(roster)
            self._seen = listed
