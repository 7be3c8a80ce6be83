"""How a job is watched by Prometheus on a cluster; ignored on a laptop."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.names import METRICS_PORT
from gossip_api.record import Record, Rule, StringMap

_WITH_VALUES = ("In", "NotIn")


class LabelRequirement(Record):
    """A condition on one label."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="values",
            message=f"is required for operator {' and '.join(_WITH_VALUES)}, and for no other",
            holds=lambda needs: (needs.operator in _WITH_VALUES) == (len(needs.values) > 0),
            cel=f"(self.operator in {list(_WITH_VALUES)}) "
            "== (has(self.values) && size(self.values) > 0)",
        ),
    )

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """What must be true of it."""
    values: Annotated[tuple[str, ...], Field(max_length=64, strict=False)] = ()
    """Its allowed or forbidden values."""


class LabelSelector(Record):
    """Selects by labels, in the words of Kubernetes; an empty one selects everything."""

    match_labels: StringMap = Field(default_factory=dict)
    """Labels that must have these values."""
    match_expressions: (
        Annotated[tuple[LabelRequirement, ...], Field(max_length=16, strict=False)] | None
    ) = None
    """Further conditions."""


class ScrapeFrom(Record):
    """Who may read the job's metrics."""

    namespace_selector: LabelSelector = LabelSelector()
    """Namespaces whose pods may."""
    pod_selector: LabelSelector = LabelSelector()
    """Pods in those namespaces that may."""


class Monitoring(Record):
    """How the job is watched."""

    metrics_port: Annotated[int, Field(ge=1024, le=65535)] = METRICS_PORT
    """Port at which every pod serves `/metrics`, `/status` and `/readyz`."""
    pod_monitor: Literal["Auto", "Never"] = "Auto"
    """Whether to make a PodMonitor. Auto: where the cluster has Prometheus' operator."""
    scrape_from: ScrapeFrom = ScrapeFrom()
    """Who may read the metrics; the network policy keeps all others out."""
