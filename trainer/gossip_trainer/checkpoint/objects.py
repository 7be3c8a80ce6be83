"""Objects in buckets, `s3://` and `gs://`, asked for with patience that has an end."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from gossip_trainer.errors import CheckpointError

if TYPE_CHECKING:  # these two are for type checkers only
    from obstore.store import ClientConfig, RetryConfig

SCHEMES: Final = ("s3://", "gs://")
CONNECT_SECONDS: Final = 5.0
REQUEST_SECONDS: Final = 60.0  # for one request, which carries at most PART_BYTES
RETRY_SECONDS: Final = 90.0  # after its first try no request is begun anew later than that
MAX_RETRIES: Final = 8
PART_BYTES: Final = 8 << 20


def is_bucket(root: str) -> bool:
    """Tell whether `root` is a bucket's URL and not a path."""
    return root.startswith(SCHEMES)


def open_bucket(url: str) -> ObjectStore:
    """Return the objects below a URL.

    Credentials, region and endpoint come from where the tools of the bucket's owner look for them:
    `AWS_*` or `GOOGLE_*` variables, or the machine's own identity. Requests that fail or stall are
    repeated, with pauses that grow, until a deadline.

    Raises:
        CheckpointError: the URL or a variable makes no sense.

    """
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
    }
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        client["allow_http"] = True
    retries: RetryConfig = {
        "max_retries": MAX_RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
    }
    try:
        return from_url(url, client_options=client, retry_config=retries)
    except (BaseError, ValueError) as error:
        raise CheckpointError(f"{url}: cannot be opened: {reason_of(error)}") from error


@contextmanager
def as_os_errors() -> Iterator[None]:
    """Make what the bucket's library raises an OSError, as of a file system."""
    try:
        yield
    except BaseError as error:
        raise OSError(reason_of(error)) from error


def reason_of(error: Exception) -> str:
    """Return what the library says, in one line: its own first, and the bucket's code and words."""
    own, _, answer = str(error).strip().partition("\n")
    own = own.partition("<?xml")[0].rstrip(": ")
    words = [found[1] for tag in ("Code", "Message") if (found := _word(tag).search(answer))]
    return f"{own}: {': '.join(words)}" if words else own


def _word(tag: str) -> re.Pattern[str]:
    return re.compile(f"<{tag}>([^<]*)</{tag}>")


def download(objects: ObjectStore, name: str, to: Path) -> None:
    """Write an object into a file; without the object there will be no file.

    Raises:
        OSError: the bucket does not answer, or the disk is full.

    """
    with as_os_errors():
        try:
            size = obstore.head(objects, name)["size"]
        except FileNotFoundError:
            return
        # Part by part, for what is asked for anew after a failure is a whole request.
        with to.open("wb") as file:
            for start in range(0, size, PART_BYTES):
                end = min(start + PART_BYTES, size)
                file.write(obstore.get_range(objects, name, start=start, end=end))
