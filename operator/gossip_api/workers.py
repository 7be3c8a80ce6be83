"""How many workers a job has, and what they run in."""

from typing import Annotated, ClassVar

from pydantic import Field

from gossip_api.record import Record, Rule
from gossip_api.template import PodTemplate

MAX_WORKERS = 100_000
"""A rank has at most five digits."""

MAX_DEVICES = 16
"""GPUs of the largest machines that pods are given whole."""

Replicas = Annotated[int, Field(ge=1, le=MAX_WORKERS)]


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
        Rule(
            field="maxReplicas",
            message="must not be smaller than replicas",
            holds=lambda workers: (
                workers.max_replicas is None or workers.replicas <= workers.max_replicas
            ),
            cel="!has(self.maxReplicas) || !has(self.replicas) "
            "|| self.replicas <= self.maxReplicas",
        ),
    )

    replicas: Replicas = 1
    """How many workers train; may be changed at any time, also with `kubectl scale`."""
    min_replicas: Replicas = 1
    """Training begins when this many workers are up, and fails when fewer can be kept."""
    max_replicas: Replicas | None = None
    """The largest number that `replicas` may be set to."""
    devices_per_worker: Annotated[int, Field(ge=1, le=MAX_DEVICES)] = 1
    """GPUs of every worker, which share its batches; as many as the `nvidia.com/gpu` in the limits
    of its pods. Where there is no GPU, processes on the CPU take their place."""
    template: PodTemplate | None = None
    """What the workers' pods are like. Left out: the operator's default image and no GPU."""

    def resized(self, replicas: int) -> dict[str, int]:
        """Say which fields to set, as documents spell them, so that so many workers train.

        Who asks for two gets two, though the job would not go on with fewer than four.
        """
        changes = {"replicas": replicas}
        if self.min_replicas > replicas:
            changes["minReplicas"] = replicas
        if self.max_replicas is not None and self.max_replicas < replicas:
            changes["maxReplicas"] = replicas
        return changes
