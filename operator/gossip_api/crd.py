"""The CustomResourceDefinition of GossipTrainingJob, generated from the models.

`python -m gossip_api.crd` prints it as YAML.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import yaml

from gossip_api import names
from gossip_api.job import FIXED, GossipTrainingJob, JobSpec
from gossip_api.status import JobStatus
from gossip_api.structural import structural_schema

if TYPE_CHECKING:
    from gossip_api.structural import Schema

_PROGRESS = ".status.progress"
_COLUMNS = (
    ("Strategy", "string", ".spec.strategy.type", 0),
    ("State", "string", ".status.state", 0),
    ("Ready", "string", ".status.workers.display", 0),
    ("Step", "integer", f"{_PROGRESS}.step", 0),
    ("Loss", "string", f"{_PROGRESS}.loss", 0),
    ("Accuracy", "string", f"{_PROGRESS}.accuracy", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Consensus", "string", f"{_PROGRESS}.consensusDistance", 1),
    ("ETA", "integer", f"{_PROGRESS}.etaSeconds", 1),
    ("Restarts", "integer", ".status.restarts", 1),
    ("Model", "string", ".status.result.model", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Progressing")].message', 1),
)
"""Name, type, path and priority; kubectl shows priority 1 with `-o wide` only."""


def custom_resource_definition() -> Schema:
    """Build the definition; the same models always give the same one."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "shortNames": [names.SHORT_NAME],
                "categories": ["all", "training"],
            },
            "versions": [_version()],
        },
    }


def _version() -> Schema:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.workers.replicas",
                "statusReplicasPath": ".status.workers.active",
                "labelSelectorPath": ".status.workers.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path}
            | ({"priority": priority} if priority else {})
            for name, kind, path, priority in _COLUMNS
        ],
        "schema": {"openAPIV3Schema": _root_schema()},
    }


def _root_schema() -> Schema:
    """Join the parts; of metadata, which is the API server's own, only the name is restricted."""
    return {
        "type": "object",
        "description": GossipTrainingJob.__doc__,
        "required": ["spec"],
        "x-kubernetes-validations": [
            {
                "rule": f"size(self.metadata.name) <= {names.JOB_NAME_MAX_LENGTH}",
                "message": f"metadata.name: must have at most {names.JOB_NAME_MAX_LENGTH} "
                "characters, because the names of the job's pods begin with it",
            },
            {
                "rule": f"self.metadata.name.matches('{names.JOB_NAME_PATTERN}')",
                "message": "metadata.name: must be lower-case letters, digits and `-`, "
                "beginning with a letter and not ending with `-`",
            },
        ],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec_schema(),
            "status": _without_defaults(structural_schema(JobStatus)),
        },
    }


def _spec_schema() -> Schema:
    """Add to the models' own rules what may change only while the job is suspended.

    The API server looks at these only when there is an old object.
    """
    schema = structural_schema(JobSpec)
    schema["x-kubernetes-validations"] += [
        {
            "rule": f"self.suspend || (has(self.{field}) == has(oldSelf.{field}) "
            f"&& (!has(self.{field}) || self.{field} == oldSelf.{field}))",
            "message": "may change only while the job is suspended, because its pods have read it "
            "already; set suspend to true in the same change, or make another job",
            "fieldPath": f".{field}",
        }
        for field in FIXED
    ]
    return schema


def _without_defaults(schema: Schema) -> Schema:
    """Remove every default, so that the API server adds nothing to what the operator wrote."""
    return {
        key: {name: _without_defaults(part) for name, part in value.items()}
        if key == "properties"
        else _without_defaults(value)
        if key == "items"
        else value
        for key, value in schema.items()
        if key != "default"
    }


def crd_yaml() -> str:
    """Write the definition as YAML, with a first line that says where it comes from."""
    text = yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=100)
    return f"# Generated by `python -m gossip_api.crd`; do not edit.\n{text}"


if __name__ == "__main__":
    sys.stdout.write(crd_yaml())
