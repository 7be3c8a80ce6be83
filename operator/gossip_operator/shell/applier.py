"""Carries out a plan: the only place that writes jobs, their pods and their other children."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gossip_api import names
from gossip_api.objects import status_to_object
from gossip_api.reasons import Reason
from gossip_operator.core.claims import claim_trouble
from gossip_operator.credentials import issue
from gossip_operator.manifests.metadata import owner_reference
from gossip_operator.manifests.secret import credentials
from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError
from gossip_operator.shell.projections import Key, claim_view, controller_uid, owned_pod
from gossip_operator.shell.refusals import reason_of
from gossip_operator.shell.resources import CLAIM, JOB, POD, SECRET, resource_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from gossip_api.status import JobStatus
    from gossip_operator.core.actions import CreatePod, DeletePod, Plan
    from gossip_operator.core.observed import JobView
    from gossip_operator.manifests.metadata import Manifest
    from gossip_operator.shell.inventory import Inventory
    from gossip_operator.shell.kube import Json, Kube
    from gossip_operator.shell.mirror import Mirror
    from gossip_operator.shell.recorder import Recorder
    from gossip_operator.shell.refusals import Refusals

log = logging.getLogger(__name__)

LARGEST_BATCH: Final = 50
PODS: Final = "Pods"
"""What is refused where one of the pods is: the others would fare no better."""


class _RefusedError(Exception):
    """The rest of the plan no longer holds."""

    def __init__(self, what: str, reason: Reason, message: str) -> None:
        self.what = what
        self.reason = reason
        self.message = message
        super().__init__(f"{what}: {reason}: {message}")


class Applier:
    """Carries out plans, each step waiting for the one before; answers go to the mirror at once.

    Args:
        clock: seconds since the epoch.
        did: told of everything that was carried out, one of `ACTIONS_TAKEN`.

    """

    def __init__(
        self,
        kube: Kube,
        *,
        mirror: Mirror,
        inventory: Inventory,
        refusals: Refusals,
        recorder: Recorder,
        clock: Callable[[], float],
        did: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._kube = kube
        self._mirror = mirror
        self._inventory = inventory
        self._refusals = refusals
        self._recorder = recorder
        self._clock = clock
        self._did = did

    async def carry_out(self, job: JobView, plan: Plan) -> bool:
        """Do what the plan says; False if the API server refused a part for good.

        The refusal is remembered, and what came after it is left out: the next plan is made with
        it in mind. ApiError where trying again is likely to help; NamespaceTerminatingError where
        the job is going with its namespace; NotLeadingError.
        """
        try:
            await _together(self._delete_pod(job, pod) for pod in plan.delete)
            if not self._refusals.holds_up(job, self._clock()):
                await self._build(job, plan)
        except _RefusedError as refused:
            now = self._clock()
            refusal = self._refusals.note(job, refused.what, refused.reason, refused.message, now)
            wait = refusal.until - now
            log.warning("%s/%s: %s; next try in %.0f s", job.namespace, job.name, refused, wait)
            return False
        if plan.status is not None:
            await self._write_status(job, plan.status)
        for notice in plan.notices:
            self._recorder.tell(job, notice)
        if plan.delete_job:
            await self._delete_job(job)
        return True

    async def _build(self, job: JobView, plan: Plan) -> None:
        if plan.create:
            await self._check_claim(job)
        for manifest in plan.apply:
            await self._apply_child(job, manifest)
        if plan.issue_credentials:
            await self._issue_credentials(job)
        await self._create_pods(job, plan.create)

    async def _delete_pod(self, job: JobView, pod: DeletePod) -> None:
        log.info("%s/%s: deleting %s: %s", job.namespace, job.name, pod.name, pod.why)
        try:
            answer = await self._kube.delete(POD, job.namespace, pod.name, uid=pod.uid)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
            # Gone, or its name is another pod's by now, which is no concern of this deletion.
            self._mirror.drop_pod(pod.uid)
            return
        self._did("delete_pod")
        if answer.get("kind") == POD.kind:
            self._mirror.take_pod(answer)
        self._mirror.mark_deleted(pod.uid, self._clock())

    async def _check_claim(self, job: JobView) -> None:
        """Look whether pods could mount the claim; asked only where pods are to be created."""
        assert job.spec is not None
        checkpoint = job.spec.spec.checkpoint
        if checkpoint is None or (name := checkpoint.storage.claim_name) is None:
            return
        what = f"{CLAIM.kind} {name}"
        try:
            claim = claim_view(await self._kube.get(CLAIM, job.namespace, name))
        except ApiError as error:
            if error.status != 404:
                raise _refused(what, CLAIM.kind, error) from error
            claim = None
        if (trouble := claim_trouble(job.spec, claim)) is not None:
            raise _RefusedError(what, trouble.reason, trouble.message)
        self._refusals.granted(job, what)

    async def _apply_child(self, job: JobView, manifest: Manifest) -> None:
        resource, name = resource_of(manifest), manifest["metadata"]["name"]
        what = f"{resource.kind} {name}"
        key = Key(job.namespace, job.name)
        known = self._inventory.find(key, resource.kind, name)
        if known is None or known.owner != job.uid:
            # To apply would take over what somebody else has made.
            found = await self._find(manifest)
            if found is not None:
                self._inventory.take(resource.kind, found, key)
                self._check_owner(job, what, found)
            elif known is not None:
                self._inventory.drop(known)
        try:
            answer = await self._kube.apply(resource, manifest)
        except ApiError as error:
            raise _refused(what, resource.kind, error) from error
        self._did("apply_child")
        self._inventory.take(resource.kind, answer["metadata"], key)
        self._refusals.granted(job, what)

    async def _issue_credentials(self, job: JobView) -> None:
        assert job.spec is not None
        name = names.tls_name(job.name)
        what = f"{SECRET.kind} {name}"
        issued = issue(job.namespace, job.uid, datetime.fromtimestamp(self._clock(), UTC))
        owner = owner_reference(job.name, job.uid)
        secret = credentials(
            job.spec,
            uid=job.uid,
            owner=owner,
            tls_crt=issued.tls_crt,
            tls_key=issued.tls_key,
            ca_crt=issued.ca_crt,
        )
        try:
            metadata = (await self._kube.create(SECRET, job.namespace, secret))["metadata"]
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise _refused(what, SECRET.kind, error) from error
            found = await self._find(secret)
            if found is None:
                raise
            metadata = found
        else:
            self._did("issue_credentials")
        self._inventory.take(SECRET.kind, metadata, Key(job.namespace, job.name))
        self._check_owner(job, what, metadata)
        self._refusals.granted(job, what)

    async def _create_pods(self, job: JobView, pods: Sequence[CreatePod]) -> None:
        for batch in slow_start(pods):
            await _together(self._create_pod(job, pod) for pod in batch)
            self._refusals.granted(job, PODS)

    async def _create_pod(self, job: JobView, pod: CreatePod) -> None:
        name = pod.manifest["metadata"]["name"]
        try:
            answer = await self._kube.create(POD, job.namespace, pod.manifest)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise _refused(PODS, POD.kind, error) from error
            # An answer that was lost, or a pod of an earlier job of this name.
            answer = await self._kube.get(POD, job.namespace, name)
            found = owned_pod(answer)
            if found is None or found.owner != job.uid:
                message = f"a pod {name} of another owner is there; it must go first"
                raise _RefusedError(PODS, Reason.CREATE_FAILED, message) from error
        else:
            self._did("create_pod")
            log.info("%s/%s: created %s", job.namespace, job.name, name)
        self._mirror.take_pod(answer)
        if pod.notice is not None:
            self._recorder.tell(job, pod.notice)

    async def _write_status(self, job: JobView, status: JobStatus) -> None:
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "namespace": job.namespace,
                "name": job.name,
                # A guard: the status is of this job as it was seen, not of the next of its name.
                "resourceVersion": str(self._mirror.job_version(job.uid)),
            },
            "status": status_to_object(status),
        }
        try:
            answer = await self._kube.apply(JOB, body, subresource="status")
        except ApiError as error:
            if error.status == 404:
                self._mirror.drop_job(job.uid)
                return
            if error.status == 409:
                await self._look_up(job)
            raise
        self._did("write_status")
        self._mirror.take_job(answer)

    async def _look_up(self, job: JobView) -> None:
        """Take in what the job is like by now: somebody changed it, or made it anew."""
        answer = await self._kube.get(JOB, job.namespace, job.name)
        if answer["metadata"]["uid"] != job.uid:
            self._mirror.drop_job(job.uid)
        self._mirror.take_job(answer)

    async def _delete_job(self, job: JobView) -> None:
        log.info("%s/%s: deleting the job: its time to live is over", job.namespace, job.name)
        try:
            await self._kube.delete(JOB, job.namespace, job.name, uid=job.uid)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
            return
        self._did("delete_job")

    async def _find(self, manifest: Manifest) -> Json | None:
        """Return the metadata of what bears the manifest's name; None if nothing does."""
        metadata = manifest["metadata"]
        resource = resource_of(manifest)
        namespace, name = metadata["namespace"], metadata["name"]
        try:
            return await self._kube.find(resource, namespace, name)
        except ApiError as error:
            raise _refused(f"{resource.kind} {name}", resource.kind, error) from error

    @staticmethod
    def _check_owner(job: JobView, what: str, metadata: Json) -> None:
        owner = controller_uid(metadata)
        if owner != job.uid:
            whose = f"the owner with uid {owner}" if owner else "nobody"
            message = f"it is there and belongs to {whose}; delete it or name the job differently"
            raise _RefusedError(what, Reason.CREATE_FAILED, message)


def slow_start(pods: Sequence[CreatePod]) -> Iterator[Sequence[CreatePod]]:
    """Cut into batches of 1, 2, 4, ..., so that what is wrong with all shows with few."""
    start, size = 0, 1
    while start < len(pods):
        yield pods[start : start + size]
        start, size = start + size, min(2 * size, LARGEST_BATCH)


def _refused(what: str, kind: str, error: ApiError) -> Exception:
    """Return the error as it is if it says nothing about the job."""
    if error.is_transient or isinstance(error, NamespaceTerminatingError):
        return error
    return _RefusedError(what, reason_of(error, kind), error.message)


async def _together(steps: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time, to their ends; then raise the first error, if there was any."""
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
