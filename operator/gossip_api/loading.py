"""Job files: YAML to a job, with everything that is wrong said at once, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from gossip_api.errors import InvalidJob, Problem
from gossip_api.explain import explain
from gossip_api.job import GossipTrainingJob
from gossip_api.names import KIND
from gossip_api.overrides import apply_override
from gossip_api.yaml_scalars import FLOAT, INT
from gossip_api.yaml_tree import Document, Mark, Node, read_documents, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_BYTES = 1 << 20


def load_job(path: Path, overrides: Sequence[str] = ()) -> GossipTrainingJob:
    """Read the one job in a file; InvalidJob says everything that is wrong with it.

    `overrides` are `path=value` strings, as of the command line's `--set`.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise _refusal(source, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start}); must be a YAML file"
        raise _refusal(source, message) from error
    except ValueError as error:  # a path with a null character
        raise _refusal(shorten(source), f"cannot be read: {error}") from error
    return parse_job(text, source=source, overrides=overrides)


def parse_job(
    text: str, *, source: str = "job.yaml", overrides: Sequence[str] = ()
) -> GossipTrainingJob:
    """Read the one job in a text; `source` is how errors call it. See `load_job`."""
    if len(text) > MAX_BYTES:
        raise _refusal(source, f"is too large; must be at most {MAX_BYTES} bytes")
    document = _only_job(read_documents(text, source), source)
    problems: list[Problem] = []
    for override in overrides:
        try:
            document = apply_override(document, override)
        except InvalidJob as error:
            problems += error.problems
    problems += document.problems
    try:
        job = GossipTrainingJob.model_validate(document.root.plain(), by_alias=True, by_name=False)
    except ValidationError as error:
        unreadable = {problem.path for problem in document.problems}
        problems += (
            problem
            for problem in explain(error, GossipTrainingJob, document.root)
            if problem.path not in unreadable
        )
        raise InvalidJob(_sorted(problems)) from error
    if problems:
        raise InvalidJob(_sorted(problems))
    return job


def resolved_yaml(job: GossipTrainingJob) -> str:
    """Write the document with every default filled in; `parse_job` makes an equal job of it."""
    document = job.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Quotes also what is text in YAML 1.1 and a number in YAML 1.2, such as `1e-4`."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", INT, list("-+0123456789"))


def _only_job(documents: Sequence[Document], source: str) -> Document:
    """Pick the job among the documents of a file; other kinds may stand beside it."""
    present = [document for document in documents if document.root.value is not None]
    jobs = [document for document in present if _kind(document.root) == KIND]
    if not present:
        raise _refusal(source, f"is empty; must hold one {KIND}")
    if len(jobs) > 1:
        lines = ", ".join(str(job.root.mark.line) for job in jobs)
        raise _refusal(source, f"holds {len(jobs)} jobs (lines {lines}); must hold one {KIND}")
    if jobs:
        return jobs[0]
    kinds = [_kind(document.root) for document in present]
    if len(present) == 1 and kinds[0] is None:
        return present[0]  # validation then says that it is no mapping, or lacks its kind
    found = ", ".join(kind or "a document without kind" for kind in kinds)
    raise _refusal(source, f"holds no {KIND}; found: {found}")


def _kind(root: Node) -> str | None:
    """Return the kind that a document says it is, None where it says nothing of use."""
    if not isinstance(root.value, dict) or "kind" not in root.value:
        return None
    kind = root.value["kind"].node.value
    return shorten(kind) if isinstance(kind, str) else None


def _refusal(source: str, message: str) -> InvalidJob:
    return InvalidJob([Mark(source).problem((), message)])


def _sorted(problems: list[Problem]) -> list[Problem]:
    """Order by place in the file; what came from the command line last."""
    return sorted(problems, key=lambda p: (p.line is None, p.line or 0, p.column or 0))
