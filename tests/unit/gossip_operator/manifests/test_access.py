"""What pods may ask of the API server."""

from manifest_jobs import children_of, job, trainer_template


def test_the_role_allows_to_look_at_endpoint_slices_and_nothing_else():
    assert children_of(job())["Role"]["rules"] == [
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["get", "list", "watch"],
        }
    ]


def test_the_role_is_bound_to_the_jobs_own_account():
    objects = children_of(job())
    assert objects["ServiceAccount"]["automountServiceAccountToken"] is False
    assert objects["RoleBinding"]["roleRef"]["name"] == objects["Role"]["metadata"]["name"]
    assert objects["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "mnist-peers", "namespace": "team"}
    ]


def test_an_account_that_a_template_names_is_bound_too():
    template = trainer_template(serviceAccountName="reads-buckets")
    subjects = children_of(job(evaluator={"template": template}))["RoleBinding"]["subjects"]
    assert [subject["name"] for subject in subjects] == ["mnist-peers", "reads-buckets"]
