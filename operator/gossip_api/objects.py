"""Jobs as the API server keeps them, JSON objects, to the models and back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from gossip_api.errors import InvalidJob
from gossip_api.explain import explain
from gossip_api.job import GossipTrainingJob
from gossip_api.status import JobStatus
from gossip_api.yaml_tree import Entry, Json, Mark, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]


def job_from_object(raw: Mapping[str, Any]) -> GossipTrainingJob:
    """Read a custom resource; InvalidJob says everything that is wrong with it.

    The API server has checked the same rules, so that only one with another version of the
    definition lets such a job through.
    """
    try:
        return GossipTrainingJob.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        root = _tree(cast("Json", raw), Mark("the job"))
        raise InvalidJob(explain(error, GossipTrainingJob, root)) from error


def status_from_object(raw: object) -> JobStatus:
    """Read the status of a custom resource; what cannot be read is left out.

    Another version of the operator may have written it, and what is lost is seen again, while an
    operator that stops at it would never get on.
    """
    document = copy.deepcopy(raw) if isinstance(raw, dict) else {}
    while True:
        try:
            return JobStatus.model_validate(document, by_alias=True, by_name=False)
        except ValidationError as error:
            _remove_faults(document, error)


def status_to_object(status: JobStatus) -> Object:
    """Write the status for the API server: no nulls, and nothing of what is not known."""
    return status.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _tree(value: Json, mark: Mark) -> Node:
    """Give a JSON value the form in which problems are looked up; all is in one place."""
    if isinstance(value, dict):
        return Node(mark, {key: Entry(mark, _tree(item, mark)) for key, item in value.items()})
    if isinstance(value, list):
        return Node(mark, [_tree(item, mark) for item in value])
    return Node(mark, value)


def _remove_faults(document: Object, error: ValidationError) -> None:
    """Remove every part that the error blames; what lacks something goes as a whole."""
    faults = {
        details["loc"][:-1] if details["type"] == "missing" else details["loc"]
        for details in error.errors(include_url=False)
    }
    # From the back, so that what is removed from a list does not move what is removed after it.
    for *path, last in sorted(faults, reverse=True):
        part: Any = document
        for key in path:
            part = part[key]
        del part[last]
