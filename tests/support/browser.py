"""A headless Chromium that opens one page without a network, for tests.

It comes from Debian's package (tests/install-browser). A machine without it skips the tests that
ask for it; continuous integration fails them.

The browser is driven through its debugging pipe: JSON messages that end in a zero byte, on file
descriptors 3 and 4.
"""

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from testbed import obstacles

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
ANSWER_SECONDS = 20.0
END_SECONDS = 10.0
NOWHERE = "127.0.0.1:9"  # a proxy at which nobody answers: whatever asks the network fails


class BrowserError(Exception):
    """The browser did not do what it was asked for; the text is its own."""


def program() -> Path:
    """Return where the browser is; without it the test is skipped or fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing = "needs chromium-headless-shell: run tests/install-browser as root"
        if obstacles.are_errors():
            pytest.fail(missing)
        pytest.skip(missing)
    return Path(found)


@dataclass
class Tab:
    """One page that is open.

    Attributes:
        requests: addresses that the page has asked for, its own included.
        errors: what its console was told of faults, and exceptions of its script.

    """

    process: subprocess.Popen[bytes]
    to_browser: int
    from_browser: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _received: bytes = b""

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out a command of the debugging protocol and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.events.clear()
        self.ask("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next()

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page.

        Raises:
            BrowserError: it threw.

        """
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key, such as `Tab` or `ArrowRight`."""
        codes = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39, " ": 32}
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes[key])

    def move(self, x: float, y: float) -> None:
        """Move the mouse, in pixels of the window."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def dark(self) -> None:
        """Prefer dark colours from now on."""
        wish = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.ask("Emulation.setEmulatedMedia", features=wish)

    def without_script(self) -> None:
        """Run no script of pages opened from now on."""
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the window, or of the whole page."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def _next(self) -> dict[str, Any]:
        """Return the next message; events are noted as well."""
        end = time.monotonic() + ANSWER_SECONDS
        while b"\0" not in self._received:
            ready, _, _ = select.select([self.from_browser], [], [], max(0, end - time.monotonic()))
            more = os.read(self.from_browser, 1 << 16) if ready else b""
            if not more:
                code = self.process.poll()
                raise BrowserError(f"no answer within {ANSWER_SECONDS} s; its exit code is {code}")
            self._received += more
        text, _, self._received = self._received.partition(b"\0")
        message = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method", ""), message.get("params", {})
        if method:
            self.events.append(message)
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in {"error", "warning"}:
            self.errors.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in {"error", "warning"}:
            self.errors.append(json.dumps(told["entry"]))


@contextmanager
def browsing(folder: Path, *, width: int = 1280, height: int = 900) -> Iterator[Tab]:
    """Run a browser with its profile and log in `folder` until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    to_browser, ours = os.pipe()
    theirs, from_browser = os.pipe()[::-1]
    command = [
        program(),
        "--headless",
        "--no-sandbox",  # it may run as root in a container, where the sandbox cannot be made
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--hide-scrollbars",
        f"--proxy-server={NOWHERE}",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},{height}",
        "--remote-debugging-pipe",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            # The shell puts the pipe's two ends where the browser looks for them.
            ["/bin/bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{theirs}', "browser", *command],
            pass_fds=(to_browser, theirs),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    os.close(to_browser)
    os.close(theirs)
    try:
        yield _first_tab(Tab(process, ours, from_browser))
    finally:
        _end(process)
        os.close(ours)
        os.close(from_browser)


def _first_tab(tab: Tab) -> Tab:
    target = tab.ask("Target.createTarget", url="about:blank")["targetId"]
    tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        tab.ask(f"{domain}.enable")
    return tab


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=END_SECONDS)
