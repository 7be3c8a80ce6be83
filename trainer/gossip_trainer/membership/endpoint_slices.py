"""The roster that a job's EndpointSlices tell. Pure.

Kubernetes keeps them for the job's headless Service: address, readiness, termination, node and zone
of every pod. Role, rank and incarnation are in the pod's name. With `publishNotReadyAddresses`,
which lets pods be found by name before they serve, `ready` is always true: `serving` is what tells.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from gossip_api.names import Role, parse_pod_name
from gossip_trainer.membership.roster import Endpoint, Roster

IPV4, IPV6 = "IPv4", "IPv6"


class Conditions(msgspec.Struct, frozen=True):
    """How an endpoint stands; what is not said is null."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None

    @property
    def serves(self) -> bool:
        """Whether the pod answers: `serving`, or what the API says is to be taken for it."""
        told = self.serving if self.serving is not None else self.ready
        return told is not False


class TargetRef(msgspec.Struct, frozen=True):
    """What an endpoint stands for."""

    kind: str = ""
    name: str = ""


class SliceEndpoint(msgspec.Struct, frozen=True, rename="camel"):
    """One pod in a slice."""

    addresses: tuple[str, ...] = ()
    conditions: Conditions = Conditions()
    target_ref: TargetRef | None = None
    node_name: str | None = None
    zone: str | None = None


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of an object's metadata, or of a list's."""

    name: str = ""
    resource_version: str = ""


class EndpointSlice(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of an EndpointSlice (discovery.k8s.io/v1)."""

    metadata: Metadata
    address_type: str = IPV4
    endpoints: tuple[SliceEndpoint, ...] | None = None


def roster_from(slices: Iterable[EndpointSlice], job: str, *, host: str, port: int) -> Roster:
    """Return who is in the slices.

    Pods of other jobs and what is no pod are passed over. While Kubernetes moves an endpoint it may
    be in two slices: it leaves if one says so, and serves if one says so.

    Args:
        slices: of the job's Service.
        job: the job's name.
        host: the own address, which tells the IP family in use.
        port: where every process of the job serves; the store for collectives is at the next one.

    """
    family = IPV6 if _is_ipv6(host) else IPV4
    found: dict[str, Endpoint] = {}
    for each in slices:
        if each.address_type != family:
            continue
        for item in each.endpoints or ():
            endpoint = _endpoint(item, job, port)
            if endpoint is None:
                continue
            known = found.get(endpoint.name)
            found[endpoint.name] = endpoint if known is None else _merge(known, endpoint)
    return Roster(tuple(found[name] for name in sorted(found)))


def _endpoint(item: SliceEndpoint, job: str, port: int) -> Endpoint | None:
    if not item.addresses or item.target_ref is None or item.target_ref.kind != "Pod":
        return None
    try:
        member = parse_pod_name(job, item.target_ref.name)
    except ValueError:
        return None
    return Endpoint(
        member.role,
        member.index,
        member.incarnation,
        item.addresses[0],
        port,
        store_port=port + 1 if member.role is Role.WORKER else 0,
        node=item.node_name or "",
        zone=item.zone or "",
        serving=item.conditions.serves,
        leaving=item.conditions.terminating is True,
    )


def _merge(one: Endpoint, other: Endpoint) -> Endpoint:
    base = one if one.serving else other
    return replace(base, serving=one.serving or other.serving, leaving=one.leaving or other.leaving)


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
