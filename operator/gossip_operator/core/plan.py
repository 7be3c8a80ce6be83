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
from gossip_operator.core.aftermath import tidy_up
from gossip_operator.core.conclusion import conclude, next_deadline, with_result
from gossip_operator.core.conditions import Standing, aspects, stamped
from gossip_operator.core.history import is_bygone, recall
from gossip_operator.core.notices import replacements, transitions
from gossip_operator.core.places import find_places
from gossip_operator.core.report import report
from gossip_operator.core.rest import rest
from gossip_operator.core.staffing import Demand, staff
from gossip_operator.core.trouble import Trouble
from gossip_operator.core.upkeep import stale_children
from gossip_operator.manifests.metadata import owner_reference
from gossip_operator.manifests.pod import pod

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gossip_api.job import GossipTrainingJob, JobSpec
    from gossip_api.names import Member
    from gossip_operator.core.actions import Notice
    from gossip_operator.core.history import History
    from gossip_operator.core.observed import Observed
    from gossip_operator.core.places import Key, Place

LOOK_AGAIN_SECONDS = 30.0
"""While a job runs it is looked at so often, for what only time brings."""
SHORTEST_WAIT_SECONDS = 0.1
FORMER_SECONDS = 90.0
"""How long a pod that was deleted when its job was suspended keeps the resumed job waiting."""


def plan(observed: Observed, default_image: str | None = None) -> Plan:
    """Decide what to do for the job; `default_image` is for pod templates that name none."""
    view, job = observed.job, observed.job.spec
    if view.terminating:
        return Plan()  # the garbage collector follows the owner references
    if view.status.finished:
        return tidy_up(observed, job.spec if job is not None else None)
    if job is None:
        return _refuse(observed)
    places, history = find_places(observed), recall(observed)
    demand = _demand(job.spec, places, history)
    if job.spec.suspend:
        conclusion = with_result(history)
        if conclusion is None:
            return rest(observed, job.spec, places)
    else:
        conclusion = conclude(observed, job.spec, places, history, demand)
    if conclusion is not None:
        # The pods are dealt with once this is written: what they knew must not be lost.
        return report(observed, job.spec, places, history, demand, conclusion=conclusion)
    return _run(observed, job, places, history, demand, default_image=default_image)


def _demand(spec: JobSpec, places: Mapping[Key, Place], history: History) -> Demand:
    workers = [place for place in places.values() if place.role is Role.WORKER]
    return Demand(
        workers=spec.workers.replicas,
        servers=spec.num_shards,
        limit=spec.run_policy.backoff_limit_per_worker,
        # Workers that say nothing when they finish leave no stop record behind.
        ending=history.stop is not None
        or (bool(workers) and all(place.finished for place in workers)),
    )


def _run(
    observed: Observed,
    job: GossipTrainingJob,
    places: Mapping[Key, Place],
    history: History,
    demand: Demand,
    *,
    default_image: str | None,
) -> Plan:
    """Bring everything there that the job needs, and take away what is in its way."""
    spec, now = job.spec, observed.now
    staffing = staff(places, demand, observed.reports, now)
    blocked = [refusal.until for refusal in observed.refusals if refusal.until > now]
    blocked += [until for until in _former_pods(observed, history) if until > now]
    created = () if blocked else staffing.create
    reported = report(observed, spec, places, history, demand, created=created)
    fresh = history.began is None
    wait = reported.look_again
    return Plan(
        delete=staffing.delete,
        apply=() if blocked else stale_children(observed, job),
        issue_credentials=(
            spec.security.mutual_tls and not observed.has_credentials and not blocked
        ),
        create=_pods(
            observed,
            job,
            created,
            fresh=fresh,
            default_image=default_image,
            notices=replacements(created, places, observed.job),
        ),
        status=reported.status,
        notices=reported.notices,
        look_again=_soonest(
            now,
            staffing.next_at,
            next_deadline(observed, spec, history),
            None if wait is None else now + wait,
            *blocked,
        ),
    )


def _former_pods(observed: Observed, history: History) -> list[float]:
    """Return until when pods from before the job was resumed are waited for.

    The job may have been changed meanwhile, and they still do what it said before.
    """
    return [
        pod.deleted + FORMER_SECONDS
        for pod in observed.pods
        if pod.deleted is not None
        and is_bygone(pod, history.started)
        and pod.node not in observed.lost_nodes
    ]


def _pods(
    observed: Observed,
    job: GossipTrainingJob,
    members: Iterable[Member],
    *,
    fresh: bool,
    default_image: str | None,
    notices: Mapping[Member, Notice],
) -> tuple[CreatePod, ...]:
    uid = observed.job.uid
    owner = owner_reference(observed.job.name, uid)
    return tuple(
        CreatePod(
            member,
            pod(job, member, uid=uid, owner=owner, fresh=fresh, default_image=default_image),
            notices.get(member),
        )
        for member in members
    )


def _soonest(now: float, *times: float | None) -> float:
    """Return in how many seconds the first of the times is, if that is before the usual look."""
    waits = [at - now for at in times if at is not None]
    return max(SHORTEST_WAIT_SECONDS, min([LOOK_AGAIN_SECONDS, *waits]))


def _refuse(observed: Observed) -> Plan:
    """Tell what is wrong with a job that the models refuse; nothing else is done or changed.

    An operator that knows the job's fields may come back, and finds all that was remembered.
    """
    job, before = observed.job, observed.job.status
    problem = Trouble(Reason.INVALID_SPEC, job.problem)
    refusal = aspects(Standing(desired=0, minimum=0, ready=0, problem=problem))
    known = {condition.type for condition in before.conditions}
    new = [aspect for aspect in refusal if aspect.type == "Accepted" or aspect.type not in known]
    told = {c.type: c for c in stamped(new, before.conditions, job.generation, observed.now)}
    kept = {
        c.type: c.model_copy(update={"observed_generation": job.generation})
        for c in before.conditions
    }
    after = before.model_copy(
        update={
            "observed_generation": job.generation,
            "state": before.state or "Pending",
            "conditions": tuple({**kept, **told}[aspect.type] for aspect in refusal),
        }
    )
    if after == before:
        return Plan()
    return Plan(status=after, notices=tuple(transitions(before, after)))
