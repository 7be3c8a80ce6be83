"""`kubectl gossip submit`: check job files here, then send them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gossip_api.errors import InvalidJob
from gossip_api.loading import MAX_BYTES, load_job, parse_job
from gossip_api.names import KIND
from gossip_api.yaml_tree import read_documents
from gossip_kubectl.cluster import job_path
from gossip_kubectl.errors import OK, InvalidCommand, PluginError, Refused
from gossip_kubectl.verdict import Goal
from gossip_kubectl.wait import WaitRequest, wait

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from gossip_api.errors import Problem
    from gossip_api.job import GossipTrainingJob
    from gossip_kubectl.cluster import Cluster, Object

FIELD_MANAGER = "kubectl-gossip"
STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """What the command line asks for."""

    files: Sequence[Path]
    overrides: Sequence[str]
    name: str | None
    namespace_given: bool
    dry_run: bool
    wait: bool
    timeout: timedelta


def load_jobs(request: SubmitRequest) -> list[GossipTrainingJob]:
    """Read all job files; InvalidJob says everything that is wrong with any of them."""
    if len(request.files) > 1 and (request.name is not None or request.wait):
        raise InvalidCommand("--name and --wait are for one job; submit the files one by one")
    overrides = [*request.overrides]
    if request.name is not None:
        overrides.append(f"metadata.name={request.name}")
    jobs: list[GossipTrainingJob] = []
    problems: list[Problem] = []
    for file in request.files:
        try:
            jobs.append(_load(file, overrides))
        except InvalidJob as error:
            problems += error.problems
    if problems:
        raise InvalidJob(problems)
    names = [job.metadata.name for job in jobs]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidCommand(f"several files have a job named {doubles[0]}; names are for one each")
    return jobs


def submit(cluster: Cluster, jobs: Sequence[GossipTrainingJob], request: SubmitRequest) -> int:
    """Send the jobs; return the exit code."""
    bodies = [_body(job, cluster.namespace, given=request.namespace_given) for job in jobs]
    code = OK
    for body in bodies:
        try:
            _send(cluster, body, request)
        except PluginError as error:
            name = body["metadata"]["name"]
            if len(bodies) == 1:
                raise
            sys.stderr.write(f"error: {name}: {error}\n")
            code = error.code
    if code == OK and request.wait and not request.dry_run:
        namespace, name = bodies[0]["metadata"]["namespace"], bodies[0]["metadata"]["name"]
        goal = WaitRequest(namespace, name, Goal.COMPLETE, request.timeout, "text")
        return wait(cluster, goal)
    return code


def _load(file: Path, overrides: Sequence[str]) -> GossipTrainingJob:
    """Read one job, and say what else stands in its file."""
    if file == STDIN:
        text, source = sys.stdin.read(MAX_BYTES + 1), "<stdin>"
        job = parse_job(text, source=source, overrides=overrides)
    else:
        job, source = load_job(file, overrides), str(file)
        text = file.read_text(encoding="utf-8-sig")
    others = sum(document.root.value is not None for document in read_documents(text, source)) - 1
    if others:
        what = "object" if others == 1 else "objects"
        hint = f"kubectl apply -f {file}" if file != STDIN else "kubectl apply"
        sys.stderr.write(f"{source}: only the {KIND} is sent, not {others} other {what}: {hint}\n")
    return job


def _body(job: GossipTrainingJob, namespace: str, *, given: bool) -> Object:
    """Write what the user has said, and no defaults: those are the definition's to give.

    Empty settings of a strategy are what validation fills in, and go too.
    """
    body = job.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    own = body["metadata"].get("namespace")
    if given and own not in {None, namespace}:
        raise InvalidCommand(
            f"job {job.metadata.name} names the namespace {own}, the command line {namespace}; "
            "leave one of them out"
        )
    body["metadata"].setdefault("namespace", namespace)
    body["metadata"].pop("uid", None)
    strategy = body["spec"]["strategy"]
    body["spec"]["strategy"] = {key: value for key, value in strategy.items() if value != {}}
    return body


def _send(cluster: Cluster, body: Object, request: SubmitRequest) -> None:
    """Have the server apply the job and say what it has done."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    path = job_path(namespace, name)
    before = cluster.find(path)
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    if request.dry_run:
        query["dryRun"] = "All"
    try:
        after = cluster.apply(path, body, **query)
    except Refused as error:
        raise _explained(error, namespace, name, is_new=before is None) from error
    said = "would be " * request.dry_run + _change(before, after)
    sys.stdout.write(f"{namespace}/{name} {said}\n")
    if not request.dry_run:
        sys.stdout.write(_next(before, after, f"{name} -n {namespace}", is_awaited=request.wait))
    sys.stdout.flush()


def _change(before: Object | None, after: Object) -> str:
    if before is None:
        return "submitted"
    same = before["metadata"].get("generation") == after["metadata"].get("generation")
    return "unchanged" if same else "changed"


def _next(before: Object | None, after: Object, options: str, *, is_awaited: bool) -> str:
    """Say what to do next."""
    if before is not None and after.get("status", {}).get("finished"):
        return (
            f"It is over ({after['status'].get('state')}) and does not run again. To train anew: "
            f"--name ANOTHER, or first kubectl delete gtj {options}\n"
        )
    if is_awaited:
        return ""
    return (
        f"Watch it:   kubectl gossip status {options} --watch\n"
        f"Read logs:  kubectl gossip logs {options} --follow\n"
        f"Wait:       kubectl gossip wait {options}\n"
    )


def _explained(error: Refused, namespace: str, name: str, *, is_new: bool) -> Refused:
    """Add what to do to what the server says."""
    advice = ""
    if error.status == 409 and not is_new:
        advice = (
            "; others own these fields: leave them out of the file, or use kubectl apply "
            "--server-side --force-conflicts"
        )
    elif error.status == 422 and not is_new:
        advice = (
            f"; job {namespace}/{name} exists: submit under another --name, or delete that one, or "
            "suspend it first"
        )
    return Refused(error.status, error.reason, f"{error}{advice}")
