"""Claims of volumes on a test bed, which has no storage of its own."""

from pathlib import Path

from testbed.bed import Bed
from testbed.waiting import wait_for

VOLUMES = "/api/v1/persistentvolumes"


def make_claim(bed: Bed, namespace: str, name: str, mode: str, folder: Path | None = None) -> None:
    """Make a claim and a volume for it, and wait until they are bound.

    The volume is a folder of this machine, or exists only as an object, for simulated nodes.
    """
    nowhere = {"nfs": {"server": "nowhere.example", "path": "/"}}
    volume, path = f"{namespace}-{name}", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    common = {"accessModes": [mode], "storageClassName": ""}
    bed.api.create(
        VOLUMES,
        {
            "metadata": {"name": volume},
            "spec": {
                **common,
                "capacity": {"storage": "1Gi"},
                "claimRef": {"namespace": namespace, "name": name},
                **({"hostPath": {"path": str(folder)}} if folder else nowhere),
                "persistentVolumeReclaimPolicy": "Retain",
            },
        },
    )
    bed.api.create(
        path,
        {
            "metadata": {"name": name},
            "spec": {
                **common,
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeName": volume,
            },
        },
    )

    def is_bound() -> bool:
        return bed.api.get(f"{path}/{name}").get("status", {}).get("phase") == "Bound"

    wait_for(is_bound, f"claim {name} to be bound", seconds=20)


def drop_volumes(bed: Bed, namespace: str) -> None:
    """Delete the volumes of a namespace's claims, which belong to no namespace themselves."""
    for volume in bed.api.list(VOLUMES):
        if volume["spec"].get("claimRef", {}).get("namespace") == namespace:
            bed.api.delete(f"{VOLUMES}/{volume['metadata']['name']}")
