"""Who a worker is and what it trains; two that differ in job or model never exchange anything."""

from dataclasses import dataclass
from typing import Final

PROTOCOL_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a worker says about itself before anything else.

    Attributes:
        job: the job's uid.
        member: role, rank and incarnation, such as "worker-3-0".
        digest: of the model's layout: names, shapes and dtypes in order.
        num_bytes: of the flat tensor that is exchanged.
        oldest: the oldest protocol version it speaks.
        newest: the newest protocol version it speaks.

    """

    job: str
    member: str
    digest: str
    num_bytes: int
    oldest: int = PROTOCOL_VERSION
    newest: int = PROTOCOL_VERSION


def common_version(own: Identity, other: Identity) -> int | None:
    """Return the newest protocol version both speak, if there is one."""
    version = min(own.newest, other.newest)
    return version if version >= max(own.oldest, other.oldest) else None


def objection(own: Identity, other: Identity) -> str | None:
    """Say why `own` must not exchange models with `other`; None if nothing speaks against it."""
    if common_version(own, other) is None:
        return (
            f"{own.member} speaks protocol versions {own.oldest} to {own.newest}, {other.member} "
            f"{other.oldest} to {other.newest}: run the same release on both"
        )
    if own.job != other.job:
        return (
            f"{own.member} belongs to job {own.job!r}, {other.member} to job {other.job!r}: "
            "one of them has an outdated address"
        )
    if (own.digest, own.num_bytes) != (other.digest, other.num_bytes):
        return (
            f"{own.member} trains the model {own.digest!r} of {own.num_bytes} bytes, "
            f"{other.member} {other.digest!r} of {other.num_bytes} bytes: "
            "names, shapes and dtypes must agree"
        )
    return None
