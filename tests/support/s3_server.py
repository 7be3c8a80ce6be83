"""A server that speaks S3, on loopback: moto's, from an environment of its own (`make s3`)."""

import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from operators import LOOPBACK, free_port
from testbed import obstacles

SERVER = Path(sys.prefix) / "s3" / "bin" / "moto_server"
START_SECONDS = 20.0
END_SECONDS = 10.0
ANSWER_SECONDS = 10.0


@contextmanager
def serving_s3() -> Iterator[str]:
    """Serve empty storage; yield the endpoint's URL. Without the server the test is skipped."""
    if not SERVER.exists():
        missing = f"needs {SERVER}: run make s3"
        if obstacles.are_errors():
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    with subprocess.Popen(
        [SERVER, "--host", LOOPBACK, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        listening = threading.Event()
        reader = threading.Thread(target=_read, args=(server, listening), daemon=True)
        reader.start()
        try:
            assert listening.wait(START_SECONDS), f"{SERVER} does not listen on port {port}"
            yield f"http://{LOOPBACK}:{port}"
        finally:
            server.terminate()
            server.wait(END_SECONDS)
            reader.join(END_SECONDS)


def environment_of(endpoint: str) -> dict[str, str]:
    """Return the variables by which S3's clients find the endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


def make_bucket(endpoint: str, name: str) -> None:
    """Make an empty bucket."""
    request = urllib.request.Request(f"{endpoint}/{name}", method="PUT")
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):
        pass


def _read(server: "subprocess.Popen[str]", listening: threading.Event) -> None:
    """Take what the server says, so that it never waits for a reader, until it ends."""
    assert server.stdout is not None
    for line in server.stdout:
        if "Running on" in line:
            listening.set()
