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


class DivergedError(GossipTrainerError):
    """Training led to a model that is not finite."""


class RunError(GossipTrainerError):
    """A run as a whole cannot go on; the text is the one line its user sees."""
