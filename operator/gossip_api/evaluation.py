"""How a job is watched from outside while it trains."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gossip_api.duration import Duration
from gossip_api.record import Record


class Evaluation(Record):
    """The evaluator: it averages the workers' models and tests the average on held-out data."""

    every: Duration = timedelta(seconds=60)
    """Time between two evaluations."""
    sample: Annotated[int, Field(ge=1)] = 32
    """How many workers' models are averaged; of more workers, a random sample."""
    workers: Annotated[int, Field(ge=0)] = 4
    """How many workers' own models are evaluated beside the average."""
