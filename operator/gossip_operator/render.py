"""What would be created for a job file, as YAML, without a cluster.

`gossip_operator render job.yaml` prints it. The job's identity and its keys are placeholders, for
there is none before the job is applied; so `kubectl apply` of the output makes no working job.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from gossip_api.errors import InvalidJob
from gossip_api.loading import load_job
from gossip_api.names import Member, Role
from gossip_api.yaml_scalars import FLOAT, INT
from gossip_operator.manifests.children import children
from gossip_operator.manifests.metadata import Manifest, owner_reference
from gossip_operator.manifests.pod import pod
from gossip_operator.manifests.secret import credentials

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from gossip_api.job import GossipTrainingJob

UID: Final = "00000000-0000-0000-0000-000000000000"
PLACEHOLDER: Final = "made by the operator when the job is applied"


def add_arguments(parser: ArgumentParser) -> None:
    """Give the command its arguments."""
    parser.add_argument("file", type=Path, help="the job file")
    parser.add_argument("--namespace", help="goes before the one in the file")
    parser.add_argument("--default-image", help="image of templates that name none")


def run(options: Namespace) -> int:
    """Print the objects of the job file; return the exit code, 2 where it is no valid job."""
    try:
        job = load_job(options.file)
    except InvalidJob as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line talks to people
        return 2
    sys.stdout.write(render(job, namespace=options.namespace, default_image=options.default_image))
    return 0


def render(
    job: GossipTrainingJob, *, namespace: str | None = None, default_image: str | None = None
) -> str:
    """Write all objects that the operator would create for the job at first, in their order.

    `namespace` goes before the one in the document; `default_image` is for templates without one.
    """
    if namespace is not None:
        metadata = job.metadata.model_copy(update={"namespace": namespace})
        job = job.model_copy(update={"metadata": metadata})
    return yaml.dump_all(
        first_objects(job, default_image=default_image),
        Dumper=_Dumper,
        sort_keys=False,
        width=100,
        explicit_start=True,
    )


def first_objects(
    job: GossipTrainingJob, *, default_image: str | None = None
) -> Iterator[Manifest]:
    """Yield what is created for a new job where PodMonitors are served."""
    owner = owner_reference(job.metadata.name, UID)
    yield from children(job, uid=UID, owner=owner, serves_pod_monitors=True)
    if job.spec.security.mutual_tls:
        secret = credentials(
            job, uid=UID, owner=owner, tls_crt=PLACEHOLDER, tls_key=PLACEHOLDER, ca_crt=PLACEHOLDER
        )
        texts = dict.fromkeys(secret.pop("data"), PLACEHOLDER)
        yield {**secret, "stringData": texts}
    if not job.spec.suspend:
        for member in first_members(job):
            yield pod(job, member, uid=UID, owner=owner, fresh=True, default_image=default_image)


def first_members(job: GossipTrainingJob) -> Iterator[Member]:
    """Yield who takes part in the job at its beginning."""
    counts = {
        Role.SERVER: job.spec.num_shards,
        Role.WORKER: job.spec.workers.replicas,
        Role.EVALUATOR: 1,
    }
    for role, count in counts.items():
        for index in range(count):
            yield Member(role, index, 0)


class _Dumper(yaml.SafeDumper):
    """Writes lines as lines, no references, and quotes what some reader takes for a number."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", INT, list("-+0123456789"))
