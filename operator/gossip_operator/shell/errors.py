"""What goes wrong between the operator and the API server."""

from __future__ import annotations


class ShellError(Exception):
    """Base of the errors of this package."""


class ApiError(ShellError):
    """The API server did not do what it was asked.

    Attributes:
        status: HTTP status; 0 if no answer came.
        reason: Kubernetes' word for it, such as `AlreadyExists`.
        message: the API server's sentence.
        retry_after: seconds it asked to wait; None if it did not.

    """

    def __init__(
        self, status: int, reason: str, message: str, *, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        super().__init__(f"{reason} ({status or 'no answer'}): {message}")

    @property
    def is_transient(self) -> bool:
        """Whether the same request may well succeed later."""
        return self.status in {0, 401, 408, 409, 410, 429} or self.status >= 500


class NamespaceTerminatingError(ApiError):
    """Nothing can be created in a namespace that is being deleted; all that is in it goes too."""


class NotLeadingError(ShellError):
    """Nothing must be written: this replica does not lead, or not surely."""


class LeaseLostError(ShellError):
    """Another replica leads, or the Lease could not be renewed in time."""


class TaskEndedError(ShellError):
    """A part of the operator that should run for ever came to an end."""
