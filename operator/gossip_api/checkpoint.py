"""What a job saves while it trains, so that it goes on where it was."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gossip_api.duration import Duration
from gossip_api.names import Role
from gossip_api.record import Record, Rule

CLAIM_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""What the API server allows as the name of a claim."""
BUCKET_URL = r"^(s3|gs)://[a-z0-9][-_.a-z0-9]+[a-z0-9](/[-_.=+@A-Za-z0-9]+)*/?$"
"""Plain characters only: what is in the address reaches file systems and command lines."""


class Storage(Record):
    """The place of the checkpoints: exactly one of the two."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="",
            message="set exactly one of claimName and url",
            holds=lambda storage: (storage.claim_name is None) != (storage.url is None),
            cel="has(self.claimName) != has(self.url)",
        ),
    )

    claim_name: Annotated[str, Field(max_length=253, pattern=CLAIM_NAME)] | None = None
    """The name of a PersistentVolumeClaim in the job's namespace. All pods that write must be able
    to mount it at once: its access mode is ReadWriteMany, unless only the evaluator writes."""
    url: Annotated[str, Field(max_length=1024, pattern=BUCKET_URL)] | None = None
    """A bucket's address, `s3://bucket/folder` or `gs://bucket/folder`. The pods take their
    credentials from the templates' environment or service account."""


class Checkpoint(Record):
    """What a job saves while it trains, so that it goes on where it was."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="every",
            message="must be at least 1s",
            holds=lambda checkpoint: checkpoint.every >= timedelta(seconds=1),
            cel=r"!has(self.every) || !self.every.matches(r'^\d{1,3}ms$')",
        ),
    )

    storage: Storage
    """Where the checkpoints of a job on a cluster lie. `gossip run` keeps its own in the folder of
    the run."""
    every: Duration = timedelta(minutes=5)
    """Time between two checkpoints of a worker or server. The evaluator saves what it tests."""
    keep: Annotated[int, Field(ge=1, le=100)] = 3
    """How many checkpoints of a worker or server are kept: the newest."""
    writers: Literal["All", "Evaluator"] = "All"
    """Who saves. All: every worker and server its own state, and the evaluator the job's model.
    Evaluator: only the evaluator, the job's model; a job that is resumed begins anew then."""

    def is_written_by(self, role: Role) -> bool:
        """Tell whether processes of that role save anything."""
        return self.writers == "All" or role is Role.EVALUATOR
