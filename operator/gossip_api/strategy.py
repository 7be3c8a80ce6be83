"""How workers share what they learn: the strategy and the settings of each kind.

The document names the strategy's type and may hold a member of the same name with its settings.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from gossip_api.compression import Compression
from gossip_api.duration import Duration
from gossip_api.record import Record, Rule, TaggedRecord
from gossip_api.topology import WITHOUT_CHOICE, Topology

Period = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(gt=0, le=1)]


class GossipSettings(TaggedRecord):
    """Settings of gossip: workers average their models with peers."""

    tag: ClassVar[str] = "exchange"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {"mixing_weight": ("Pull", "Pairwise")}
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="selection",
            message=f"is not for topology {' or '.join(WITHOUT_CHOICE)}, which leaves no choice; "
            "remove it or change topology",
            holds=lambda gossip: (
                gossip.selection is None or gossip.topology.type not in WITHOUT_CHOICE
            ),
            cel="!has(self.selection) || !has(self.topology) || !has(self.topology.type) "
            f"|| !(self.topology.type in {list(WITHOUT_CHOICE)})",
        ),
        Rule(
            field="selection",
            message="is for exchange PushSum only with topology Complete, because it sends to all "
            "peers of another; remove it or change topology",
            holds=lambda gossip: (
                gossip.selection is None
                or gossip.exchange != "PushSum"
                or gossip.topology.type in {"Complete", *WITHOUT_CHOICE}
            ),
            cel="!has(self.selection) || !has(self.exchange) || self.exchange != 'PushSum' "
            "|| !has(self.topology) || !has(self.topology.type) "
            f"|| self.topology.type in {['Complete', *WITHOUT_CHOICE]}",
        ),
        Rule(
            field="compression.type",
            message="must not be Int8: its differences are from what both ends know, and peers "
            "that are drawn anew know nothing of each other; use BFloat16",
            holds=lambda gossip: gossip.compression is None or gossip.compression.type != "Int8",
            cel="!has(self.compression) || self.compression.type != 'Int8'",
        ),
        Rule(
            field="compression.type",
            message="must be BFloat16 where exchange is not Pull: only a reader chooses which "
            "fragment it takes; use BFloat16 or exchange Pull",
            holds=lambda gossip: (
                gossip.compression is None
                or gossip.compression.type != "Partial"
                or gossip.exchange == "Pull"
            ),
            cel="!has(self.compression) || self.compression.type != 'Partial' "
            "|| !has(self.exchange) || self.exchange == 'Pull'",
        ),
    )

    exchange: Literal["Pull", "Push", "Pairwise", "PushSum"] = "Pull"
    """What an exchange is. Pull: read a peer's model and average. Push: send the own model; whoever
    receives some averages them with its own. Pairwise: both ends move by the same difference, which
    keeps the mean (AD-PSGD). PushSum: send a share of the own mass, of which none is lost (SGP)."""
    period: Period = 1
    """An exchange happens every `period` steps."""
    mixing_weight: Weight = 0.5
    """Weight of the peer's model in the average, the rest is the worker's own."""
    overlap: bool = True
    """Train on while an exchange is under way and mix at the next step boundary after it."""
    topology: Topology = Topology()
    """Who may exchange with whom."""
    selection: Literal["Uniform", "UniformOthers", "Balanced"] | None = None
    """Which of its peers a worker takes. Uniform: any of them or itself, which means no exchange.
    UniformOthers: any of them. Balanced: as given by a permutation that all draw alike, so that in
    step nobody is chosen twice. Left out: Uniform for Pull and Push, UniformOthers for the rest.
    PushSum takes all of them, save with Complete."""
    compression: Compression | None = None
    """How models are made smaller before they travel: BFloat16, with exchange Pull also Partial.
    Left out: they travel as they are."""

    @property
    def chosen_selection(self) -> Literal["Uniform", "UniformOthers", "Balanced"]:
        """The selection, the one that goes with the exchange where it is left out."""
        if self.selection is not None:
            return self.selection
        return "Uniform" if self.exchange in {"Pull", "Push"} else "UniformOthers"


class ElasticAveragingSettings(Record):
    """Settings of elastic averaging: every worker and the server's centre attract each other."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="compression.type",
            message="must not be Partial: a server's part is exchanged as a whole; use Int8 or "
            "BFloat16",
            holds=lambda elastic: (
                elastic.compression is None or elastic.compression.type != "Partial"
            ),
            cel="!has(self.compression) || self.compression.type != 'Partial'",
        ),
    )

    period: Period = 1
    """An exchange with the server happens every `period` steps."""
    moving_rate: Weight | None = None
    """How far worker and centre move towards each other, as a share of their difference. Left out:
    0.8 over the number of workers, as in the paper."""
    overlap: bool = True
    """Train on while an exchange is under way and move at the next step boundary after it."""
    compression: Compression | None = None
    """How points and differences are made smaller before they travel: BFloat16 or Int8. Left out:
    they travel as they are."""


class ParameterServerSettings(Record):
    """Settings of the asynchronous parameter server: it takes gradients and gives parameters."""

    max_staleness: Annotated[int, Field(ge=0)] | None = None
    """How many steps a worker may be ahead of the slowest; without a bound where left out."""
    overlap: bool = False
    """Compute the next gradient while the one before is under way, on parameters older by that."""


class AllReduceSettings(Record):
    """Settings of synchronous all-reduce: every step averages the gradients of all workers."""

    backend: Literal["auto", "gloo"] = "auto"
    """Backend of torch.distributed. auto: the one that fits the workers' devices, gloo on CPUs."""
    allow_plaintext: bool = False
    """Allow gradients to travel unencrypted, as torch.distributed sends them. Must be said under
    `security.mutualTLS`; the network has to protect them then."""


class OuterOptimizer(Record):
    """The optimizer of local SGD's outer steps, whose gradient is how far the workers moved."""

    optimizer: Literal["Nesterov", "HeavyBall"] | None = None
    """Kind of momentum. Left out: Nesterov with averaging AllReduce, HeavyBall with Gossip."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.7
    """Learning rate of the outer steps; 1 without momentum is plain averaging."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Momentum of the outer steps. Left out: 0.9 with averaging AllReduce, 0.5 with Gossip."""


class LocalSGDSettings(TaggedRecord):
    """Settings of local SGD: many local steps, then an outer step on their mean (DiLoCo)."""

    tag: ClassVar[str] = "averaging"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "partner_deadline": ("Gossip",),
        "compression": ("Gossip",),
        "allow_plaintext": ("AllReduce",),
    }
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="outer.optimizer",
            message="must be HeavyBall with averaging Gossip, whose outer step is defined with it; "
            "remove it or change averaging",
            holds=lambda local: (
                local.averaging != "Gossip" or local.outer.optimizer in {None, "HeavyBall"}
            ),
            cel="!has(self.averaging) || self.averaging != 'Gossip' || !has(self.outer) "
            "|| !has(self.outer.optimizer) || self.outer.optimizer == 'HeavyBall'",
        ),
        Rule(
            field="compression.type",
            message="must be BFloat16: partners are drawn anew for every outer step, so none knows "
            "what a difference would be from, and an outer step takes all of the model",
            holds=lambda local: local.compression is None or local.compression.type == "BFloat16",
            cel="!has(self.compression) || self.compression.type == 'BFloat16'",
        ),
    )

    period: Period = 500
    """Local steps between two outer steps."""
    outer: OuterOptimizer = OuterOptimizer()
    """The optimizer of the outer steps."""
    averaging: Literal["AllReduce", "Gossip"] = "AllReduce"
    """Whom an outer step averages. AllReduce: all workers (DiLoCo). Gossip: random pairs (NoLoCo).
    """
    partner_deadline: Duration = timedelta(seconds=60)
    """How long to wait for the partner of an outer step before taking it alone."""
    compression: Compression | None = None
    """How models are made smaller before they travel: BFloat16. Left out: they travel as they are.
    """
    allow_plaintext: bool = False
    """Allow models to travel unencrypted, as torch.distributed sends them. Must be said under
    `security.mutualTLS`; the network has to protect them then."""

    @property
    def outer_momentum(self) -> float:
        """The outer momentum, the one that goes with the averaging where it is left out."""
        if self.outer.momentum is not None:
            return self.outer.momentum
        return 0.9 if self.averaging == "AllReduce" else 0.5


Settings = (
    GossipSettings
    | ElasticAveragingSettings
    | ParameterServerSettings
    | AllReduceSettings
    | LocalSGDSettings
)


class Strategy(TaggedRecord):
    """How workers share what they learn."""

    tag: ClassVar[str] = "type"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gossip": ("Gossip",),
        "elastic_averaging": ("ElasticAveraging",),
        "parameter_server": ("ParameterServer",),
        "all_reduce": ("AllReduce",),
        "local_sgd": ("LocalSGD",),
    }

    type: Literal["Gossip", "ElasticAveraging", "ParameterServer", "AllReduce", "LocalSGD"]
    """The strategy. Gossip: workers average with peers and never wait. ElasticAveraging: workers
    and a server's centre variable attract each other. ParameterServer: a server takes every
    gradient as it comes. AllReduce: all average their gradients in every step. LocalSGD: all, or
    pairs, average what they learned in many steps."""
    gossip: GossipSettings | None = None
    """Settings of type Gossip; filled with defaults where left out."""
    elastic_averaging: ElasticAveragingSettings | None = None
    """Settings of type ElasticAveraging; filled with defaults where left out."""
    parameter_server: ParameterServerSettings | None = None
    """Settings of type ParameterServer; filled with defaults where left out."""
    all_reduce: AllReduceSettings | None = None
    """Settings of type AllReduce; filled with defaults where left out."""
    local_sgd: Annotated[LocalSGDSettings | None, Field(alias="localSGD")] = None
    """Settings of type LocalSGD; filled with defaults where left out."""

    @model_validator(mode="before")
    @classmethod
    def _fill_the_chosen_member(cls, data: object) -> object:
        if isinstance(data, Mapping):
            for member, (tag,) in cls.only.items():
                spelled = cls.spelled(member)
                if data.get("type") == tag and data.get(member) is None is data.get(spelled):
                    return {**data, spelled: {}}
        return data

    @property
    def settings(self) -> Settings:
        """The settings of the chosen type."""
        member = next(member for member, (tag,) in self.only.items() if tag == self.type)
        chosen: Settings | None = getattr(self, member)
        assert chosen is not None, "validation fills the chosen member"
        return chosen

    @property
    def compression(self) -> Compression | None:
        """How vectors are made smaller before they travel; None where they are not."""
        settings = self.settings
        if isinstance(settings, AllReduceSettings | ParameterServerSettings):
            return None
        return settings.compression

    @property
    def uses_server(self) -> bool:
        """Whether the job has servers, which hold the model that is the job's result."""
        return self.type in {"ElasticAveraging", "ParameterServer"}

    @property
    def uses_collective(self) -> bool:
        """Whether all workers meet, so that none of them can be missing."""
        return self.all_reduce is not None or (
            self.local_sgd is not None and self.local_sgd.averaging == "AllReduce"
        )
