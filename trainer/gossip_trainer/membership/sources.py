"""Opens the source of membership that GOSSIP_PEERS names."""

import os
from pathlib import Path

from gossip_api.names import peers_name
from gossip_trainer.errors import MembershipError
from gossip_trainer.membership.api_server import ApiServer, access_from_pod
from gossip_trainer.membership.directory import DirectoryRoster
from gossip_trainer.membership.dns import DnsRoster, Who
from gossip_trainer.membership.roster import Endpoint, OnRoster, RosterSource
from gossip_trainer.membership.slice_roster import SliceRoster

SUFFIX = peers_name("")


def open_roster(peers: str, *, own: Endpoint, who: Who, on_roster: OnRoster) -> RosterSource:
    """Open it.

    Args:
        peers: `directory:PATH`, `endpointslices:NAMESPACE/SERVICE` or `dns:HOST`.
        own: the own endpoint.
        who: asks the process at an address for its member's name.
        on_roster: told of every new roster, by a thread of the source.

    Raises:
        MembershipError: the text is none of these, or what it names is not there.

    """
    scheme, _, rest = peers.partition(":")
    if scheme == "directory" and rest:
        return DirectoryRoster(Path(rest), on_roster=on_roster)
    if scheme == "dns" and rest:
        return DnsRoster(rest, own=own, who=who, on_roster=on_roster)
    namespace, _, service = rest.partition("/")
    if (
        scheme == "endpointslices"
        and namespace
        and service.removesuffix(SUFFIX) not in {"", service}
    ):
        return SliceRoster(
            ApiServer(access_from_pod(os.environ)),
            namespace=namespace,
            service=service,
            job=service.removesuffix(SUFFIX),
            own=own,
            fall_back=lambda: DnsRoster(
                f"{service}.{namespace}.svc", own=own, who=who, on_roster=on_roster
            ),
            on_roster=on_roster,
        )
    raise MembershipError(
        f"GOSSIP_PEERS: got {peers!r}; must be directory:PATH, endpointslices:NAMESPACE/"
        f"JOB{SUFFIX} or dns:HOST"
    )
