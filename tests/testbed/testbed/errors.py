"""What goes wrong with a bed."""


class BedError(Exception):
    """A bed does not do what it should; the message says which part and where its log is."""


class UnavailableError(BedError):
    """This machine lacks what a bed takes."""


class ApiError(BedError):
    """The API server refused a request.

    Attributes:
        status: the HTTP status.
        reason: Kubernetes' reason, for example `NotFound` or `Invalid`.

    """

    def __init__(self, request: str, status: int, body: dict) -> None:
        super().__init__(f"{request}: {status} {body.get('message', body)}")
        self.status = status
        self.reason = body.get("reason", "")
