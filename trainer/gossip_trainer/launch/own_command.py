"""The command that a job gives its workers, as a pod has it: `command`, `args` and `env`. Pure.

It stands in `spec.workers.template` in the container `trainer`. On a cluster the kubelet starts it;
here the launcher does, with the same rules. The folder is another: here it is the one that `gossip`
was called in, whatever `workingDir` says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gossip_api.job import GossipTrainingJob
from gossip_api.template import Container
from gossip_trainer.errors import RunError

PLACE = "spec.workers.template.spec.containers[trainer]"

_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """What a worker runs instead of the built-in training loop.

    Attributes:
        words: program and arguments, as the job has them.
        variables: the job's environment variables that have a value; those that come from Secrets
            or ConfigMaps are not known here.

    """

    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def resolved(self, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return words and environment for a process that is started with `environ`.

        `environ` goes before the job's variables, so that a path can be another here. `$(NAME)` is
        replaced as Kubernetes does it, in the words and, where NAME stands before, in variables.
        """
        complete = dict(environ)
        for name, value in self.variables.items():
            complete.setdefault(name, _expanded(value, complete))
        return [_expanded(word, complete) for word in self.words], complete


def has_own_command(job: GossipTrainingJob) -> bool:
    """Say whether the workers run something else than the built-in training loop."""
    container = _trainer(job)
    return container is not None and bool(container.command or container.args)


def own_command(job: GossipTrainingJob) -> OwnCommand | None:
    """Return the workers' own command; None for a job that has the built-in loop.

    Raises:
        RunError: there are arguments without a command, which only an image could make sense of, or
            several devices for a script.

    """
    container = _trainer(job)
    if container is None or not has_own_command(job):
        return None
    arguments = container.args or ()
    if not container.command:
        raise RunError(
            f"{PLACE}.args: got {list(arguments)} without a command; they are for the entry point "
            f"of an image, and here is none: set {PLACE}.command, too"
        )
    if (devices := job.spec.workers.devices_per_worker) > 1:
        raise RunError(
            f"spec.workers.devicesPerWorker: {devices}, but {PLACE}.command is a script, which "
            "computes on one device; leave it out, and have more workers instead"
        )
    return OwnCommand((*container.command, *arguments), _plain_variables(container))


def _trainer(job: GossipTrainingJob) -> Container | None:
    template = job.spec.workers.template
    return template.trainer if template is not None else None


def _plain_variables(container: Container) -> dict[str, str]:
    """Return the variables with a value; what is malformed is for the API server to refuse."""
    given = (container.model_extra or {}).get("env")
    entries = given if isinstance(given, list) else []
    return {
        str(entry["name"]): str(entry["value"])
        for entry in entries
        if isinstance(entry, dict) and {"name", "value"} <= entry.keys()
    }


def _expanded(word: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; what is not known stays as it is, and `$$` stands for `$`."""

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        return "$" if name is None else variables.get(name, found.group())

    return _REFERENCE.sub(value, word)
