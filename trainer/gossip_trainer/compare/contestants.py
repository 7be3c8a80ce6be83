"""The strategies by the names that people compare them by, and what each changes in a job. Pure."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gossip_api.record import TaggedRecord, record_in
from gossip_api.strategy import Strategy
from gossip_trainer.compare.errors import InvalidComparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gossip_api.job import GossipTrainingJob

OWN = "job"
"""The strategy that the job itself names."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A strategy's type, and the value of its settings' tag where the type alone does not tell."""

    type: str
    tag: str | None = None


KINDS: Mapping[str, Kind] = {
    "all-reduce": Kind("AllReduce"),
    "pull-gossip": Kind("Gossip", "Pull"),
    "push-gossip": Kind("Gossip", "Push"),
    "pairwise": Kind("Gossip", "Pairwise"),
    "push-sum": Kind("Gossip", "PushSum"),
    "elastic-averaging": Kind("ElasticAveraging"),
    "parameter-server": Kind("ParameterServer"),
    "local-sgd": Kind("LocalSGD", "AllReduce"),
    "noloco": Kind("LocalSGD", "Gossip"),
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A strategy to compare.

    Attributes:
        name: a key of `KINDS`, or `job`.
        settings: `path=value`, each of the strategy's settings; of the whole job where it begins
            with `spec.`.

    """

    name: str
    settings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How tables and curves call it: as it was asked for."""
        return ":".join(filter(None, [self.name, ",".join(self.settings)]))

    def overrides(self, job: GossipTrainingJob) -> list[str]:
        """List what to set in `job`, which keeps what it says itself about the same type."""
        kind = KINDS.get(self.name)
        strategy = job.spec.strategy
        changes = [] if kind is None else [f"spec.strategy={json.dumps(_document(kind, strategy))}"]
        type_ = strategy.type if kind is None else kind.type
        if job.spec.server is not None and not Strategy.model_validate({"type": type_}).uses_server:
            changes.append("spec.server=null")
        within = f"spec.strategy.{Strategy.spelled(_member(type_))}"
        return changes + [
            setting if setting.startswith("spec.") else f"{within}.{setting}"
            for setting in self.settings
        ]


def parse_contestants(text: str) -> tuple[Contestant, ...]:
    """Read `name,name:path=value,path=value,name`; InvalidComparison says what is wrong."""
    contestants: list[Contestant] = []
    for part in _parts(text):
        head, separator, value = part.partition("=")
        name, colon, path = head.partition(":")
        if separator and not colon:
            if not contestants:
                raise InvalidComparison(
                    f"--strategies {text}: {part} belongs to no strategy; write name:{part}"
                )
            last = contestants.pop()
            contestants.append(Contestant(last.name, (*last.settings, part)))
            continue
        _check_name(text, name)
        if colon and not (separator and path):
            raise InvalidComparison(
                f"--strategies {text}: {part} must be name:path=value, such as pull-gossip:period=4"
            )
        contestants.append(Contestant(name, (f"{path}={value}",) if colon else ()))
    labels = [contestant.label for contestant in contestants]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise InvalidComparison(f"--strategies {text}: {twice} stands there twice; name it once")
    return tuple(contestants)


def _check_name(text: str, name: str) -> None:
    allowed = [*KINDS, OWN]
    if name in allowed:
        return
    near = difflib.get_close_matches(name.lower(), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise InvalidComparison(
        f"--strategies {text}: got '{name}'{hint}; must be among {', '.join(allowed)}"
    )


def _parts(text: str) -> Iterator[str]:
    """Split at the commas that stand in no bracket."""
    depth, begin = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            yield text[begin:place].strip()
            begin = place + 1
    yield text[begin:].strip()


def _member(type_: str) -> str:
    return next(member for member, (tag,) in Strategy.only.items() if tag == type_)


def _document(kind: Kind, own: Strategy) -> dict[str, object]:
    """Write the strategy, with what `own` says explicitly where it is of the same type."""
    member = _member(kind.type)
    settings: dict[str, object] = {}
    if own.type == kind.type:
        settings = own.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    record = record_in(Strategy.model_fields[member].annotation)
    if kind.tag is not None and record is not None and issubclass(record, TaggedRecord):
        settings[record.tag] = kind.tag
        others = {
            record.spelled(name) for name, tags in record.only.items() if kind.tag not in tags
        }
        settings = {name: value for name, value in settings.items() if name not in others}
    document: dict[str, object] = {"type": kind.type, Strategy.spelled(member): settings}
    if Strategy.model_validate(document).uses_collective:
        settings.setdefault("allowPlaintext", True)  # a comparison does not leave the machine
    return document
