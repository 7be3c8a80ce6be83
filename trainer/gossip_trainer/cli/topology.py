"""`gossip topology`: how fast graphs of workers mix models, and what they send. Trains nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from gossip_api.strategy import GossipSettings
from gossip_trainer.cli.counts import parse_counts
from gossip_trainer.cli.errors import OK, InvalidCommand
from gossip_trainer.report.words import NOTHING, number, size
from gossip_trainer.topology.consensus import NEARNESS, Exchange, Setting, consensus, remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gossip_trainer.topology.consensus import Consensus

PIPED_WIDTH = 120
MAX_WORKERS = 512  # eigenvalues of larger matrices take minutes
OPTIONS = {"topology": "--type", "selection": "--selection", "mixingWeight": "--weight"}
COLUMNS = ("workers", "spectral\ngap", "rounds to\nconsensus", "models sent\nper round")

Found = list[tuple[Setting, "Consensus"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyRequest:
    """What the command line of `gossip topology` asks for; the options' help says what each is."""

    types: str
    workers: str
    exchange: Exchange = "Pull"
    selection: str | None = None
    mixing_weight: float | None = None
    model_bytes: int | None = None
    output: Literal["text", "json"] = "text"


def show_topologies(request: TopologyRequest) -> int:
    """Print a row per graph and number of workers; return the exit code."""
    found = [(setting, consensus(setting)) for setting in _settings(request)]
    if request.output == "json":
        rows = [_as_json(setting, result, request.model_bytes) for setting, result in found]
        json.dump({"topologies": rows}, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return OK
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(highlight=False, width=width)
    console.print(_table(found, request.model_bytes))
    console.print(
        "\nA round is one exchange of every worker, without training. Consensus: the distance is "
        f"{NEARNESS:g} of what it was, in mean square. A worker receives as much as it sends."
    )
    return OK


def _settings(request: TopologyRequest) -> list[Setting]:
    counts = parse_counts(request.workers)
    if max(counts) > MAX_WORKERS:
        raise InvalidCommand(
            f"--workers {request.workers}: must be at most {MAX_WORKERS}; gossip simulate shows "
            "what more do"
        )
    return [
        Setting(
            exchange=settings.exchange,
            family=settings.topology.type,
            selection=settings.chosen_selection,
            size=num_workers,
            mixing_weight=settings.mixing_weight,
        )
        for name in request.types.split(",")
        for settings in (_gossip(request, name.strip()),)
        for num_workers in counts
    ]


def _gossip(request: TopologyRequest, family: str) -> GossipSettings:
    """Return the settings that a job would have, by the rules that hold there."""
    document = {
        "exchange": request.exchange,
        "selection": request.selection,
        "mixingWeight": request.mixing_weight,
        "topology": {"type": family},
    }
    try:
        return GossipSettings.model_validate(document)
    except ValidationError as error:
        raise InvalidCommand("; ".join(_faults(error, document))) from error


def _faults(error: ValidationError, document: dict[str, Any]) -> Iterator[str]:
    for fault in error.errors():
        told = [(str(fault["loc"][0]), fault["msg"])] if fault["loc"] else fault["ctx"]["broken"]
        for field, text in told:
            value = document["topology"]["type"] if field == "topology" else document[field]
            yield f"{OPTIONS[field]} {value}: {text}"


def _as_json(setting: Setting, found: Consensus, model_bytes: int | None) -> dict[str, Any]:
    row = {
        "type": setting.family,
        "workers": setting.size,
        "exchange": setting.exchange,
        "selection": setting.selection if setting.has_choice else None,
        "mixing_weight": setting.weight,
        "contraction": found.contraction,
        "spectral_gap": found.spectral_gap,
        "rounds_to_consensus": found.rounds,
        "models_per_round": found.models,
        "remarks": list(remarks(setting)),
    }
    return row if model_bytes is None else row | {"bytes_per_round": found.models * model_bytes}


def _table(found: Found, model_bytes: int | None) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("topology", "exchange"):
        table.add_column(column, vertical="bottom", no_wrap=True)
    for column in (*COLUMNS, *(() if model_bytes is None else ("sent\nper round",))):
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    table.add_column("", vertical="bottom")
    for setting, result in found:
        table.add_row(*_row(setting, result, model_bytes))
    return table


def _row(setting: Setting, found: Consensus, model_bytes: int | None) -> Iterator[str]:
    yield setting.family
    yield f"{setting.exchange} {setting.selection}" if setting.has_choice else setting.exchange
    yield f"{setting.size:,}"
    yield number(found.spectral_gap)
    yield NOTHING if found.rounds is None else f"{found.rounds:,}"
    yield f"{found.models:.3g}"
    if model_bytes is not None:
        yield size(found.models * model_bytes)
    yield "; ".join(remarks(setting))
