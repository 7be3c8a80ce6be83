"""What is copied and generated into the chart of a checkout."""

from pathlib import Path

import pytest

from gossip_packaging import __main__ as command
from gossip_packaging.chart import CHART, FILES, generated_files, stale_files

RBAC = """\
kind: ClusterRole
metadata: {name: gossip-operator}
rules:
- operator
---
kind: Role
metadata: {name: gossip-operator-leader}
rules:
- leader
"""
USERS = """\
kind: ClusterRole
metadata: {name: gossip-training-view}
rules:
- view
---
kind: ClusterRole
metadata: {name: gossip-training-edit}
rules:
- edit
"""
CHECKOUT = {
    "charts/gossip-training/Chart.yaml": (
        "{name: a-chart, description: It is., version: 1.0.0, kubeVersion: '>=1.31.0-0'}"
    ),
    "charts/gossip-training/values.yaml": "### All\n\n# -- Of the pod.\nlabels: {}\n",
    "manifests/crd/gossiptrainingjobs.yaml": "the definition\n",
    "manifests/base/rbac.yaml": RBAC,
    "manifests/base/user-roles.yaml": USERS,
    "manifests/monitoring/rules/jobs.yaml": "alerts\n",
    "manifests/monitoring/dashboards/job.json": "{}\n",
}


@pytest.fixture
def checkout(tmp_path):
    for path, text in CHECKOUT.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_definition_rights_rules_and_dashboards_are_copied(checkout):
    files = generated_files(checkout)

    copies = {str(path.relative_to(FILES)): files[path] for path in files if FILES in path.parents}
    assert copies == {
        "crd.yaml": "the definition\n",
        "rights/operator.yaml": "- operator\n",
        "rights/leader.yaml": "- leader\n",
        "rights/view.yaml": "- view\n",
        "rights/edit.yaml": "- edit\n",
        "rules/jobs.yaml": "alerts\n",
        "dashboards/job.json": "{}\n",
    }
    assert files.keys() - {FILES / name for name in copies} == {
        CHART / "README.md",
        CHART / "values.schema.json",
    }


def test_a_checkout_without_rules_and_dashboards_will_do(checkout):
    for path in ("rules/jobs.yaml", "dashboards/job.json"):
        (checkout / "manifests" / "monitoring" / path).unlink()

    assert FILES / "crd.yaml" in generated_files(checkout)


def test_what_is_generated_no_more_is_stale_and_goes(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    command.main()
    assert stale_files(checkout, generated_files(checkout)) == []

    Path("manifests/monitoring/rules/jobs.yaml").unlink()
    old = FILES / "rules" / "jobs.yaml"
    assert stale_files(checkout, generated_files(checkout)) == [old]
    command.main()
    assert not old.exists()
    assert (CHART / "README.md").read_text().startswith("<!-- Generated")
