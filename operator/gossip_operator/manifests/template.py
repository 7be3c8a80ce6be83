"""Which pod template a role has: its own, or the workers' without accelerators and command.

* A worker's is `workers.template`.
* A server or evaluator with a template of its own has that one and nothing of the workers', except
  their image where it names none: all processes of a job run the same program.
* One without has the workers' template, so that node selectors, tolerations, volumes, pull secrets
  and priority need not be said three times. Devices are taken out of it: a server adds up vectors
  and the evaluator need not be fast, while a GPU costs a worker. Who wants the evaluator on a GPU
  gives it a template. The workers' command is taken out as well: a training script of one's own
  takes the place of a worker and of nobody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gossip_api.names import CONTAINER, Role

if TYPE_CHECKING:
    from gossip_api.job import GossipTrainingJob
    from gossip_api.template import PodTemplate
    from gossip_operator.manifests.metadata import Manifest

_NO_DEVICES = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}
"""Images made for GPUs ask the runtime for all of them, also where the pod asks for none."""


def pod_template(job: GossipTrainingJob, role: Role, default_image: str | None = None) -> Manifest:
    """Return the role's template: `metadata`, and a `spec` that has a container `trainer`.

    That container has the image that the template names, else the workers', else `default_image`;
    where all are absent it has none, and the API server says so.
    """
    workers, own = job.spec.workers.template, _own(job, role)
    template = _written(own) if own else _without_command(_without_devices(_written(workers)))
    container = trainer(template)
    image = container.get("image") or _image(workers) or default_image
    if image:
        container["image"] = image
    return template


def trainer(template: Manifest) -> dict[str, Any]:
    """Return the container `trainer` of a template, to be changed in place."""
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    return next(container for container in containers if container.get("name") == CONTAINER)


def _image(template: PodTemplate | None) -> str | None:
    return template.trainer.image if template and template.trainer else None


def _own(job: GossipTrainingJob, role: Role) -> PodTemplate | None:
    """Return what the user gave the role, None for one that has the workers'."""
    spec = job.spec
    match role:
        case Role.WORKER:
            return spec.workers.template
        case Role.SERVER:
            return spec.server.template if spec.server else None
        case Role.EVALUATOR:
            return spec.evaluator.template


def _written(template: PodTemplate | None) -> Manifest:
    """Write a template as JSON has it, a copy, with a container `trainer` in any case."""
    written = template.model_dump(mode="json", by_alias=True, exclude_none=True) if template else {}
    metadata, spec = written.get("metadata", {}), written.get("spec", {})
    containers = spec.get("containers") or [{"name": CONTAINER}]
    return {"metadata": metadata, "spec": {**spec, "containers": containers}}


def _without_command(template: Manifest) -> Manifest:
    """Leave the trainer with the command that every process has by default."""
    container = trainer(template)
    container.pop("command", None)
    container.pop("args", None)
    return template


def _without_devices(template: Manifest) -> Manifest:
    """Remove extended resources, such as `nvidia.com/gpu`, and claims of devices."""
    spec = dict(template["spec"])
    claimed = bool(spec.pop("resourceClaims", None))
    pairs = [_container_without_devices(container) for container in spec["containers"]]
    spec["containers"] = [container for container, _ in pairs]
    changed = {**template, "spec": spec}
    if claimed or any(removed for _, removed in pairs):
        container = trainer(changed)
        env = container.get("env") or []
        if all(variable.get("name") != _NO_DEVICES["name"] for variable in env):
            container["env"] = [*env, dict(_NO_DEVICES)]
    return changed


def _container_without_devices(container: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a copy of the container without devices, and whether it had any."""
    given = container.get("resources") or {}
    kept = {
        part: {name: amount for name, amount in (given[part] or {}).items() if not _device(name)}
        for part in ("limits", "requests")
        if part in given
    }
    removed = "claims" in given or any(kept[part] != given[part] for part in kept)
    if not removed:
        return dict(container), False
    return {**container, "resources": kept}, True


def _device(resource: str) -> bool:
    """Say whether Kubernetes calls this an extended resource: it has a domain of its own."""
    domain, slash, _ = resource.rpartition("/")
    return bool(slash) and not domain.endswith("kubernetes.io")
