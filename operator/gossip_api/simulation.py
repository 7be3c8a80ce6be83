"""What `gossip simulate` assumes about machines, network and faults; ignored on a cluster."""

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.duration import Duration
from gossip_api.record import Record, Rule

BANDWIDTH = r"^[1-9][0-9]{0,5}(\.[0-9]{1,3})?[kMGT]bps$"
LATENCY = r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,3})?(us|ms|s)$"

_BITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SECONDS = {"us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1)}

Rank = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class ComputeSeconds(Record):
    """How long a worker computes for one step, without any communication."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="",
            message="set exactly one of mean and trace",
            holds=lambda compute: (compute.mean is None) != (compute.trace is None),
            cel="has(self.mean) != has(self.trace)",
        ),
        Rule(
            field="distribution",
            message="is only for mean, because a trace says itself how steps differ; remove one",
            holds=lambda compute: compute.trace is None or compute.distribution is None,
            cel="!has(self.trace) || !has(self.distribution)",
        ),
        Rule(
            field="jitter",
            message="is only for mean, because a trace says itself how steps differ; remove one",
            holds=lambda compute: compute.trace is None or compute.jitter == 0,
            cel="!has(self.trace) || !has(self.jitter) || self.jitter == 0.0",
        ),
        Rule(
            field="jitter",
            message="is only for distribution Lognormal; remove it or change distribution",
            holds=lambda compute: (
                compute.jitter == 0 or compute.distribution in {None, "Lognormal"}
            ),
            cel="!has(self.jitter) || self.jitter == 0.0 || !has(self.distribution) "
            "|| self.distribution == 'Lognormal'",
        ),
    )

    mean: Positive | None = None
    """Mean over many steps, in seconds."""
    trace: Annotated[str, Field(min_length=1)] | None = None
    """Text file with measured step times, in seconds, one a line; `#` begins a comment. Every
    worker walks through it, round and round, from a line of its own. A relative path begins in the
    folder that `gossip simulate` is started in."""
    distribution: Literal["Constant", "Lognormal", "Exponential"] | None = None
    """How steps differ. Left out: Lognormal where jitter is above 0, else Constant."""
    jitter: Annotated[float, Field(ge=0, le=3)] = 0.0
    """Standard deviation of the logarithm of a Lognormal step time; 0.3 is a busy machine."""


class Link(Record):
    """Every worker's and every server's link."""

    bandwidth: Annotated[str, Field(pattern=BANDWIDTH)] = "10Gbps"
    """A bandwidth above zero such as 10Gbps, 2.5Gbps or 800Mbps; in bits."""
    duplex: Literal["Full", "Half"] = "Full"
    """Full: each direction has the bandwidth. Half: the two directions share it."""
    latency: Annotated[str, Field(pattern=LATENCY)] = "100us"
    """A time such as 100us, 0.5ms or 0s, from one member to another."""

    @property
    def bytes_per_second(self) -> float:
        """The bandwidth in bytes."""
        number = self.bandwidth.removesuffix("bps")
        return float(Decimal(number[:-1]) * _BITS[number[-1]] / 8)

    @property
    def latency_seconds(self) -> float:
        """The latency in seconds."""
        unit = next(unit for unit in _SECONDS if self.latency.endswith(unit))
        return float(Decimal(self.latency.removesuffix(unit)) * _SECONDS[unit])


class Straggler(Record):
    """A worker that computes slower than the others."""

    worker: Rank
    """Its rank."""
    slowdown: Positive
    """Factor on its compute time; below 1 it is faster."""


class Fault(Record):
    """Something that happens to one worker, or to all processes at once."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="",
            message="set exactly one of crash, leave, join and restart",
            holds=lambda fault: (
                [fault.crash, fault.leave, fault.join, fault.restart].count(None) == 3
            ),
            cel="[has(self.crash), has(self.leave), has(self.join), has(self.restart)]"
            ".exists_one(given, given)",
        ),
    )

    at: Duration
    """When, since training began."""
    crash: Rank | None = None
    """The rank that is gone from one moment to the next, its step under way lost."""
    leave: Rank | None = None
    """The rank that ends after its step under way."""
    join: Rank | None = None
    """The rank that joins, new or again, with the model of a peer."""
    restart: Duration | None = None
    """All processes are lost; so long later they are back, each with what it saved last. Needs
    `checkpoint`."""


class Simulation(Record):
    """What `gossip simulate` assumes; ignored on a cluster and by `gossip run`."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="stragglers",
            message="must name every worker at most once",
            holds=lambda simulation: (
                len({s.worker for s in simulation.stragglers}) == len(simulation.stragglers)
            ),
            cel="!has(self.stragglers) || self.stragglers.all(a, "
            "self.stragglers.exists_one(b, a.worker == b.worker))",
        ),
    )

    compute_seconds: ComputeSeconds
    """How long a worker computes for one step."""
    link: Link = Link()
    """Every worker's link."""
    stragglers: Annotated[tuple[Straggler, ...], Field(max_length=64, strict=False)] = ()
    """Workers that are slower than the others."""
    faults: Annotated[tuple[Fault, ...], Field(max_length=256, strict=False)] = ()
    """What happens to workers on the way."""

    @property
    def has_restarts(self) -> bool:
        """Tell whether all processes are lost at some time."""
        return any(fault.restart is not None for fault in self.faults)
