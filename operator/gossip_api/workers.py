"""How many workers a job has."""

from typing import Annotated, ClassVar

from pydantic import Field

from gossip_api.record import Record, Rule


class Workers(Record):
    """The workers, each of which trains a model of its own."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="minReplicas",
            message="must not be larger than replicas",
            holds=lambda workers: workers.min_replicas <= workers.replicas,
            cel="!has(self.minReplicas) || !has(self.replicas) "
            "|| self.minReplicas <= self.replicas",
        ),
    )

    replicas: Annotated[int, Field(ge=1)] = 1
    """How many workers train."""
    min_replicas: Annotated[int, Field(ge=1)] = 1
    """Training begins when this many workers are up, and fails when fewer can be kept."""
