"""Pod templates: passed on as they are, but for what the operator itself looks at."""

import pytest
from pydantic import ValidationError

from gossip_api.template import PodTemplate

FULL = {
    "metadata": {"labels": {"team": "a"}, "annotations": {"b": "c"}, "name": "ignored"},
    "spec": {
        "containers": [
            {"name": "proxy", "image": "envoy"},
            {
                "name": "trainer",
                "image": "gossip:1",
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "env": [{"name": "A", "value": "1"}],
            },
        ],
        "nodeSelector": {"gpu": "h100"},
        "tolerations": [{"operator": "Exists", "tolerationSeconds": 5}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
}


def written(template):
    return template.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_all_that_kubernetes_knows_is_kept():
    assert written(PodTemplate.model_validate(FULL)) == FULL


def test_any_part_may_be_missing():
    assert written(PodTemplate.model_validate({})) == {}
    assert written(PodTemplate.model_validate({"spec": {"hostNetwork": True}})) == {
        "spec": {"hostNetwork": True}
    }


def test_null_counts_as_left_out_even_of_a_key_that_nobody_here_knows():
    nulls = {"spec": {"containers": None, "affinity": None}, "metadata": None}
    assert PodTemplate.model_validate(nulls) == PodTemplate.model_validate({"spec": {}})


def test_the_container_that_trains_is_found_by_its_name():
    assert PodTemplate.model_validate(FULL).trainer.image == "gossip:1"
    assert PodTemplate.model_validate({}).trainer is None
    assert PodTemplate.model_validate({"spec": {}}).trainer is None


@pytest.mark.parametrize(
    "names", [[], ["proxy"], ["trainer", "trainer"], ["Trainer"], ["trainer", "a" * 64]]
)
def test_containers_without_exactly_one_that_trains_are_refused(names):
    containers = [{"name": name} for name in names]
    with pytest.raises(ValidationError, match="containers"):
        PodTemplate.model_validate({"spec": {"containers": containers}})


def test_a_container_needs_a_name():
    with pytest.raises(ValidationError, match="name"):
        PodTemplate.model_validate({"spec": {"containers": [{"image": "a"}]}})


@pytest.mark.parametrize("part", [{"labels": {"a": 1}}, {"annotations": ["a"]}])
def test_labels_and_annotations_are_text(part):
    with pytest.raises(ValidationError):
        PodTemplate.model_validate({"metadata": part})
