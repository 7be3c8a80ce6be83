"""`gossip calibrate`: measure what `gossip simulate` assumes about machines and network."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gossip_trainer.calibration.computing import alone, time_steps
from gossip_trainer.calibration.estimate import estimate_computing, estimate_link
from gossip_trainer.calibration.section import Found, trace_text
from gossip_trainer.calibration.transfer import offer_at, offered_here, pull_repeatedly
from gossip_trainer.cli.errors import OK, InvalidCommand
from gossip_trainer.cli.job import load
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.models.registry import build_model
from gossip_trainer.replica.layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gossip_api.job import GossipTrainingJob
    from gossip_trainer.replica.layout import Layout

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateRequest:
    """What the command line of `gossip calibrate` asks for; the options' help says what each is."""

    path: Path
    steps: int = 200
    threads: int | None = None
    trace: Path | None = None
    peer: str | None = None
    serve: str | None = None
    overrides: Sequence[str] = ()
    output: Literal["text", "json"] = "text"


def calibrate(request: CalibrateRequest) -> int:
    """Measure and print a `simulation` section, or serve whoever measures; return the exit code."""
    peer = None if request.peer is None else _address("--peer", request.peer)
    job = load(request.path, request.overrides)
    # The user's own modules lie where the command is given, as with `gossip run`.
    sys.path.insert(0, str(Path.cwd()))
    layout = _layout(job)
    if request.serve is not None:
        return _serve(_address("--serve", request.serve), layout)
    with tempfile.TemporaryDirectory(prefix="gossip-calibrate-") as name:
        folder = Path(name)
        changes = alone(job, folder, request.steps)
        only = load(request.path, [*request.overrides, *changes])
        laps = time_steps(only, folder, request.threads)
    if peer is not None:
        transfers = pull_repeatedly(peer, layout)
    else:
        with offered_here(layout) as here:
            transfers = pull_repeatedly(here, layout)
    if request.trace is not None:
        request.trace.write_text(trace_text(laps.tolist()), encoding="utf-8")
    found = Found(estimate_computing(laps), estimate_link(transfers), request.trace)
    if request.output == "json":
        sys.stdout.buffer.write(found.as_json())
    else:
        sys.stdout.write(found.as_yaml())
    return OK


def _layout(job: GossipTrainingJob) -> Layout:
    training = job.spec.training
    dataset = load_dataset(training.data, training.seed)
    module = build_model(
        training.model,
        input_shape=dataset.input_shape,
        num_classes=dataset.num_classes,
        seed=training.seed,
    )
    return layout_of(module)


def _serve(address: tuple[str, int], layout: Layout) -> int:
    with closing(offer_at(address, layout)) as server:
        host, port = server.address
        sys.stdout.write(f"offering {layout.num_bytes} bytes at {host}:{port} until Ctrl-C\n")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            return OK


def _address(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InvalidCommand(f"{option} {text}: must be HOST:PORT, such as 10.0.0.7:7000")
    return host, int(port)
