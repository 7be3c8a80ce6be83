"""Pod templates: what the user says about the pods of a role, in Kubernetes' own words.

Only what the operator itself looks at is declared here. All else is kept as it is written, and the
API server checks it when the pod is made.
"""

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, JsonValue, model_validator

from gossip_api.names import CONTAINER
from gossip_api.record import Record, Rule, StringMap, without_nulls

CONTAINER_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class FreeRecord(Record):
    """A record that keeps keys it does not know, as they are; a null still means absent."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, JsonValue]

    @model_validator(mode="before")
    @classmethod
    def _no_nulls(cls, data: object) -> object:
        return without_nulls(data)


class Container(FreeRecord):
    """A container, in the words of Kubernetes' `Container`."""

    name: Annotated[str, Field(max_length=63, pattern=CONTAINER_NAME)]
    """A name of lower-case letters, digits and `-`; the one that trains is called `trainer`."""
    image: str | None = None
    """The image; of `trainer` the operator's default image where left out."""
    command: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """The program and its first arguments. In the workers' `trainer` a training script of one's
    own, which opens a `gossip_trainer.Session`; left out: the built-in training loop."""
    args: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """More arguments; without `command` for the entry point of the image."""


class PodSpec(FreeRecord):
    """What runs where, in the words of Kubernetes' `PodSpec`; hardened where it says nothing."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="containers",
            message=f"must have exactly one container named {CONTAINER}, which trains; the others "
            "run beside it",
            holds=lambda pod: (
                pod.containers is None or [c.name for c in pod.containers].count(CONTAINER) == 1
            ),
            cel=f"!has(self.containers) || self.containers.exists_one(c, c.name == '{CONTAINER}')",
        ),
    )

    containers: Annotated[tuple[Container, ...], Field(max_length=16, strict=False)] | None = None
    """The container `trainer`, to which the operator adds what training needs, and others beside
    it. Left out: `trainer` with the operator's default image."""


class PodMetadata(FreeRecord):
    """What the pods are marked with; the operator adds labels of its own."""

    labels: StringMap = Field(default_factory=dict)
    """Labels of the pods."""
    annotations: StringMap = Field(default_factory=dict)
    """Annotations of the pods."""


class PodTemplate(FreeRecord):
    """What the pods are like: a template as Deployments have it, of which any part may be missing.

    Fields that are not listed here are passed on to the pods as they are.
    """

    metadata: PodMetadata | None = None
    """What the pods are marked with."""
    spec: PodSpec | None = None
    """What runs where: containers, volumes, node selector, tolerations and all else."""

    @property
    def trainer(self) -> Container | None:
        """The container that trains; None where the template leaves it to the operator."""
        containers = (self.spec and self.spec.containers) or ()
        return next((each for each in containers if each.name == CONTAINER), None)
