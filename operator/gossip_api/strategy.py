"""How workers share what they learn: the strategy and the settings of each kind.

The document names the strategy's type and may hold a member of the same name with its settings.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from gossip_api.record import Record, TaggedRecord


class Topology(Record):
    """Who may talk to whom."""

    type: Literal["Complete"] = "Complete"
    """Graph family. Complete: every worker may choose every other."""


class GossipSettings(Record):
    """Settings of gossip: workers average their models with peers chosen at random."""

    exchange: Literal["Pull"] = "Pull"
    """Direction of an exchange. Pull: a worker reads the model of one peer."""
    period: Annotated[int, Field(ge=1)] = 1
    """An exchange happens every `period` steps."""
    mixing_weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Weight of the peer's model in the average, the rest is the worker's own."""
    overlap: bool = True
    """Train on while the peer's model arrives and mix it in at the next step boundary."""
    topology: Topology = Topology()
    """Who may talk to whom."""


class AllReduceSettings(Record):
    """Settings of synchronous all-reduce: every step averages the gradients of all workers."""

    backend: Literal["auto", "gloo"] = "auto"
    """Backend of torch.distributed. auto: the one that fits the workers' devices, gloo on CPUs."""


class Strategy(TaggedRecord):
    """How workers share what they learn."""

    tag: ClassVar[str] = "type"
    only: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "gossip": ("Gossip",),
        "all_reduce": ("AllReduce",),
    }

    type: Literal["Gossip", "AllReduce"]
    """The strategy. Gossip never waits for a peer; AllReduce waits for all in every step."""
    gossip: GossipSettings | None = None
    """Settings of type Gossip; filled with defaults where left out."""
    all_reduce: AllReduceSettings | None = None
    """Settings of type AllReduce; filled with defaults where left out."""

    @model_validator(mode="before")
    @classmethod
    def _fill_the_chosen_member(cls, data: object) -> object:
        if isinstance(data, Mapping):
            for member, spelled, tag in (
                ("gossip", "gossip", "Gossip"),
                ("all_reduce", "allReduce", "AllReduce"),
            ):
                if data.get("type") == tag and data.get(member) is None is data.get(spelled):
                    return {**data, spelled: {}}
        return data

    @property
    def settings(self) -> GossipSettings | AllReduceSettings:
        """The settings of the chosen type."""
        chosen = self.gossip if self.type == "Gossip" else self.all_reduce
        assert chosen is not None, "validation fills the chosen member"
        return chosen
