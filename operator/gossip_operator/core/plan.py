"""What to do for a job, given all that is known of it: the operator's one decision.

`plan` is pure: the same observation gives the same plan, and an observation in which the plan has
been carried out gives an empty one. It is made anew whenever anything changes, so it remembers
nothing but what stands in the job's status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gossip_api.names import Role
from gossip_api.reasons import Reason
from gossip_operator.core.actions import CreatePod, Plan
from gossip_operator.core.conclusion import conclude, next_deadline
from gossip_operator.core.conditions import Standing
from gossip_operator.core.history import History, recall
from gossip_operator.core.moments import seconds
from gossip_operator.core.notices import replacements, transitions
from gossip_operator.core.places import find_places
from gossip_operator.core.progress import is_stalled, measure, write_later
from gossip_operator.core.staffing import Demand, everyone, staff
from gossip_operator.core.status import count_ready, write_status
from gossip_operator.core.trouble import Trouble, worst
from gossip_operator.manifests.children import children
from gossip_operator.manifests.metadata import digest, owner_reference
from gossip_operator.manifests.pod import pod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gossip_api.job import GossipTrainingJob
    from gossip_api.status import JobStatus
    from gossip_operator.core.actions import Manifest
    from gossip_operator.core.conclusion import Conclusion
    from gossip_operator.core.observed import Observed
    from gossip_operator.core.places import Key, Place

LOOK_AGAIN_SECONDS = 30.0
"""While a job runs it is looked at so often, for what only time brings."""
SHORTEST_WAIT_SECONDS = 0.1


def plan(observed: Observed, default_image: str | None = None) -> Plan:
    """Decide what to do for the job; `default_image` is for pod templates that name none."""
    job = observed.job
    if job.terminating:
        return Plan()  # the garbage collector follows the owner references
    if job.spec is None:
        return _refuse(observed)
    places = find_places(observed)
    if job.status.finished:
        return _tidy_up(observed, job.spec, places)
    if job.spec.spec.suspend:
        return _rest(observed, job.spec, places)
    history = recall(observed)
    conclusion = conclude(observed, job.spec.spec, places, history)
    if conclusion is not None:
        # The pods are dealt with once this is written: what they knew must not be lost.
        return _report(observed, job.spec, places, history, conclusion=conclusion)
    return _run(observed, job.spec, places, history, default_image)


def _run(
    observed: Observed,
    job: GossipTrainingJob,
    places: Mapping[Key, Place],
    history: History,
    default_image: str | None,
) -> Plan:
    """Bring everything there that the job needs, and take away what is in its way."""
    spec, now = job.spec, observed.now
    demand = Demand(
        workers=spec.workers.replicas,
        servers=spec.num_shards,
        limit=spec.run_policy.backoff_limit_per_worker,
        ending=history.stop is not None,
    )
    staffing = staff(places, demand, observed.reports, now)
    blocked = [r.until for r in observed.refusals if r.until > now]
    create = () if blocked else staffing.create
    reported = _report(observed, job, places, history)
    return Plan(
        delete=staffing.delete,
        apply=() if blocked else _stale_children(observed, job),
        issue_credentials=spec.security.mutual_tls and not observed.has_credentials,
        create=tuple(
            CreatePod(
                member,
                pod(
                    job,
                    member,
                    uid=observed.job.uid,
                    owner=owner_reference(observed.job.name, observed.job.uid),
                    fresh=history.began is None,
                    default_image=default_image,
                ),
            )
            for member in create
        ),
        status=reported.status,
        notices=(*reported.notices, *replacements(create, places, observed.job.name)),
        look_again=_soonest(
            now,
            staffing.next_at,
            next_deadline(spec, history),
            now + (reported.look_again or LOOK_AGAIN_SECONDS),
            *blocked,
        ),
    )


def _soonest(now: float, *times: float | None) -> float:
    """Return in how many seconds the first of the times is, if that is before the usual look."""
    waits = [at - now for at in times if at is not None]
    return max(SHORTEST_WAIT_SECONDS, min([LOOK_AGAIN_SECONDS, *waits]))


def _report(
    observed: Observed,
    job: GossipTrainingJob,
    places: Mapping[Key, Place],
    history: History,
    *,
    conclusion: Conclusion | None = None,
) -> Plan:
    """Write how the job stands, at once or, where only progress was made, a little later."""
    spec, before = job.spec, observed.job.status
    ready = count_ready(places)
    progress = measure(observed, history, ready)
    trouble = worst(observed, places.values())
    invalid = trouble is not None and trouble.reason is Reason.INVALID_POD_TEMPLATE
    standing = Standing(
        desired=spec.workers.replicas,
        minimum=spec.workers.min_replicas,
        ready=ready,
        problem=trouble if invalid else None,
        began=history.began is not None,
        ending=history.stop.reason if history.stop is not None else "",
        stalled=is_stalled(progress, history, observed.now),
        trouble=trouble,
        conclusion=conclusion,
    )
    after = write_status(observed, places, standing, history, progress)
    if after == before:
        return Plan()
    if after.model_copy(update={"progress": before.progress}) == before:
        later = write_later(before.progress, observed.now)
        if later is not None:
            return Plan(look_again=later)
    return Plan(status=after, notices=tuple(transitions(before, after)))


def _rest(observed: Observed, job: GossipTrainingJob, places: Mapping[Key, Place]) -> Plan:
    """Suspend the job: no pods, and nothing held against anybody when it is resumed."""
    spec = job.spec
    standing = Standing(
        desired=spec.workers.replicas,
        minimum=spec.workers.min_replicas,
        ready=count_ready(places),
        suspended=True,
        resting=not observed.pods,
    )
    forgiven = {key: place.forgiven() for key, place in places.items()}
    progress = observed.job.status.progress
    after = write_status(observed, forgiven, standing, History(observed.now), progress)
    news = after != observed.job.status
    return Plan(
        delete=everyone(observed.pods, dead_too=True, why="suspended"),
        status=after if news else None,
        notices=tuple(transitions(observed.job.status, after)) if news else (),
    )


def _tidy_up(observed: Observed, job: GossipTrainingJob, places: Mapping[Key, Place]) -> Plan:
    """After the end: remove pods as the job says, and the job itself when its time is over."""
    policy, before = job.spec.run_policy, observed.job.status
    delete = (
        ()
        if policy.clean_pods == "None"
        else everyone(observed.pods, dead_too=policy.clean_pods == "All", why="the job is over")
    )
    ended, wait = seconds(before.completion_time), None
    if policy.ttl_after_finished is not None and ended is not None:
        wait = ended + policy.ttl_after_finished.total_seconds() - observed.now
    after = _restamped(before, observed, places)
    return Plan(
        delete=delete,
        status=after if after != before else None,
        delete_job=wait is not None and wait <= 0,
        look_again=wait if wait is not None and wait > 0 else None,
    )


def _restamped(before: JobStatus, observed: Observed, places: Mapping[Key, Place]) -> JobStatus:
    """Say that an ended job's status is about its present generation."""
    generation = observed.job.generation
    conditions = tuple(
        condition.model_copy(update={"observed_generation": generation})
        for condition in before.conditions
    )
    workers = before.workers
    if workers is not None:
        active = sum(place.is_taken for place in places.values() if place.role is Role.WORKER)
        workers = workers.model_copy(update={"active": active, "ready": count_ready(places)})
    return before.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions,
            "workers": workers,
        }
    )


def _refuse(observed: Observed) -> Plan:
    """Tell what is wrong with a job that the models refuse; nothing is done for it."""
    problem = Trouble(Reason.INVALID_SPEC, observed.job.problem)
    standing = Standing(desired=0, minimum=0, ready=0, problem=problem)
    before = observed.job.status
    after = write_status(observed, {}, standing, History(observed.now), before.progress)
    after = after.model_copy(update={"ledger": before.ledger, "launched": before.launched})
    if after == before:
        return Plan()
    return Plan(status=after, notices=tuple(transitions(before, after)))


def _stale_children(observed: Observed, job: GossipTrainingJob) -> tuple[Manifest, ...]:
    """Return the children that are not there as they should be."""
    wanted = children(
        job,
        uid=observed.job.uid,
        owner=owner_reference(observed.job.name, observed.job.uid),
        serves_pod_monitors=observed.serves_pod_monitors,
    )
    return tuple(
        child
        for child in wanted
        if observed.applied.get((child["kind"], child["metadata"]["name"])) != digest(child)
    )
