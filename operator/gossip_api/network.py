"""How the processes of a job find and trust each other on a cluster; ignored on a laptop."""

from typing import Annotated, Literal

from pydantic import Field

from gossip_api.names import DISCOVERY_PORT
from gossip_api.record import Record


class Discovery(Record):
    """How the job's pods find each other."""

    port: Annotated[int, Field(ge=1024, le=65534)] = DISCOVERY_PORT
    """Port at which a pod serves its peers; collectives meet at the next one."""
    source: Literal["EndpointSlices", "DNS"] = "EndpointSlices"
    """Where a pod learns of its peers. EndpointSlices: it watches those of the job's Service, which
    takes about a second. DNS: it looks up the Service's name, for clusters that forbid the Role;
    takes up to half a minute."""


class Security(Record):
    """How the job's pods trust each other."""

    mutual_tls: Annotated[bool, Field(alias="mutualTLS")] = True
    """Encrypt what pods exchange, and let only pods of the job take part (TLS 1.3, a certificate of
    the job's own). Collectives are not covered: torch.distributed does not encrypt."""
