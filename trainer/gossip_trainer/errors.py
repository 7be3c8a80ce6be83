"""The error tree of the trainer; everything it raises on purpose is a GossipTrainerError."""


class GossipTrainerError(Exception):
    """A fault the trainer can name; its text says what, where and what to do."""


class DataError(GossipTrainerError):
    """A data set is missing, malformed or does not fit the job."""


class ModelError(GossipTrainerError):
    """A model cannot be built, or cannot be laid out as one flat vector."""


class MembershipError(GossipTrainerError):
    """Peers cannot be found, or not enough of them came before the deadline."""


class ProgressError(GossipTrainerError):
    """A peer's counters make no sense."""


class CollectiveError(GossipTrainerError):
    """A collective lost a member or its deadline passed."""


DIVERGED = "training diverged"  # what the text of every DivergedError begins with


class DivergedError(GossipTrainerError):
    """Training led to a model that is not finite."""


class DeviceError(GossipTrainerError):
    """A device failed, or a process that computes on one was lost."""


class PlacementError(GossipTrainerError):
    """A worker sees fewer devices than the job says it has."""


class CheckpointError(GossipTrainerError):
    """A checkpoint cannot be saved or read, or its storage does not answer."""


class SessionError(GossipTrainerError):
    """A training script uses its session in a way that cannot work."""


class RunError(GossipTrainerError):
    """A run as a whole cannot go on; the text is the one line its user sees."""
