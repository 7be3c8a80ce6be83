"""`gossip replay`: prove that a traced run did what the algorithms say."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

from gossip_trainer.cli.errors import FAILED, OK, InvalidCommand
from gossip_trainer.replay.replay import EVENTS_FILE, replay

if TYPE_CHECKING:
    from pathlib import Path

    from gossip_trainer.replay.replay import Replay


def replay_run(run: Path, output: Literal["text", "json"]) -> int:
    """Replay the run in a directory and say whether it came out the same; return the exit code."""
    if not (run / EVENTS_FILE).exists():
        raise InvalidCommand(f"{run}: holds no {EVENTS_FILE}; name the directory of a run")
    found = replay(run)
    if output == "json":
        sys.stdout.write(json.dumps(_as_json(found)) + "\n")
    else:
        sys.stdout.write(_in_words(found) + "\n")
    return FAILED if found.mismatches else OK


def _as_json(found: Replay) -> dict[str, object]:
    return {
        "members": found.members,
        "published": found.published,
        "mismatches": [[mismatch.member, mismatch.step] for mismatch in found.mismatches],
    }


def _in_words(found: Replay) -> str:
    begin = f"{len(found.members)} processes, {found.published:,} published models: "
    if not found.mismatches:
        return begin + "all equal to the bit"
    first = found.mismatches[0]
    return begin + (
        f"{len(found.mismatches):,} differ, the first of them {first.member}'s at step {first.step}"
    )
