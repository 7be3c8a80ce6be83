"""How a job is watched from outside while it trains."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gossip_api.duration import Duration
from gossip_api.record import Record
from gossip_api.template import PodTemplate


class Evaluation(Record):
    """How the workers' models are averaged and the average is tested on held-out data."""

    every: Duration = timedelta(seconds=60)
    """Time between two evaluations."""
    sample: Annotated[int, Field(ge=1)] = 32
    """How many workers' models are averaged; of more workers, a random sample."""
    workers: Annotated[int, Field(ge=0)] = 4
    """How many workers' own models are evaluated beside the average."""


class Evaluator(Record):
    """The process that evaluates, in a pod of its own."""

    template: PodTemplate | None = None
    """What the evaluator's pod is like. Left out: like the workers', without their GPUs."""
