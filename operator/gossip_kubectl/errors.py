"""What the plugin answers when something goes wrong: a message and an exit code.

| exit code | meaning |
|---|---|
| 0 | it worked; for `wait`: what was waited for has come |
| 1 | the command line is wrong, or the cluster refuses or does not answer |
| 2 | the job file is invalid, or there is no such job |
| 3 | the job failed, or has taken another end than the one waited for |
| 124 | what was waited for has not come in time |
| 130 | interrupted |
"""

from __future__ import annotations

OK = 0
TROUBLE = 1
INVALID = 2
NOT_FOUND = 2
FAILED = 3
TIMED_OUT = 124
INTERRUPTED = 130


class PluginError(Exception):
    """Base of all errors of this package; its text is meant for the user."""

    code = TROUBLE
    """The exit code that it comes to."""


class InvalidCommand(PluginError):  # noqa: N818 - it names the command, as `InvalidJob` the job
    """The command line asks for something that cannot be; the text says what to do instead."""


class NotFound(PluginError):  # noqa: N818 - as above
    """There is no such job, or it has no such process."""

    code = NOT_FOUND


class TimedOut(PluginError):  # noqa: N818 - as above
    """The deadline has passed."""

    code = TIMED_OUT


class Unreachable(PluginError):  # noqa: N818 - as above
    """The API server does not answer, or its answer was cut off."""


class Refused(PluginError):  # noqa: N818 - as above
    """The API server refuses.

    Attributes:
        status: HTTP status.
        reason: Kubernetes' word for it, such as Conflict.

    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in {408, 410, 429} or self.status >= 500
