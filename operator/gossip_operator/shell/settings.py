"""How the operator runs; the command line and the environment fill this in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - dataclasses look at their annotations


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Which Lease says who leads, of several replicas.

    Attributes:
        namespace: the Lease's.
        name: the Lease's.
        duration_seconds: after this long without a renewal another replica may lead.
        renew_seconds: after this long without a renewal the leader gives up; less than the
            duration, so that the old leader stops before a new one begins.
        retry_seconds: between two attempts to get or to renew it. Who stands by leads at most the
            duration and two of these after the leader's death.

    """

    namespace: str
    name: str = "gossip-operator"
    duration_seconds: int = 12
    renew_seconds: float = 8.0
    retry_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operator runs.

    Attributes:
        namespaces: those it serves, with rights in them only; empty for the whole cluster.
        kubeconfig: file to log in with; None for the pod's service account, else the usual file.
        default_image: image of trainer containers whose template names none; None leaves them
            without, and the API server refuses such pods.
        lease: None runs without leader election, which is right for exactly one replica.
        reconcilers: how many jobs are worked on at a time.
        requests_per_second: to the API server in the long run, watches and the Lease left out.
        request_burst: how many may be made at once after a pause.
        relist_seconds: about how often everything is listed to find what the watches missed.
        health_address: `host:port` for `/healthz`, `/readyz` and `/metrics`.

    """

    default_image: str | None = None
    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None
    lease: LeaseSettings | None = None
    reconcilers: int = 8
    requests_per_second: float = 50.0
    request_burst: int = 100
    relist_seconds: float = 120.0
    health_address: str = "0.0.0.0:8080"

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """What is listed one after the other: every namespace, or the whole cluster (None)."""
        return self.namespaces or (None,)
