"""The servers of elastic averaging and of the parameter server."""

from typing import Annotated

from pydantic import Field

from gossip_api.record import Record
from gossip_api.template import PodTemplate


class Server(Record):
    """The servers, which together hold one model."""

    shards: Annotated[int, Field(ge=1, le=64)] = 1
    """How many server processes the model is divided among."""
    template: PodTemplate | None = None
    """What the servers' pods are like. Left out: like the workers', without their GPUs."""
