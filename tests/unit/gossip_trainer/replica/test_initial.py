import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gossip_api.training import Training
from gossip_trainer.errors import ModelError
from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.initial import initial_model, load_initial_


def a_model(*, num_classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, num_classes))


def saved(module: nn.Module, tmp_path) -> str:
    save_model(module, tmp_path / "model.safetensors", {})
    return str(tmp_path / "model.safetensors")


def training(**changes) -> Training:
    return Training.model_validate(
        {
            "model": {"name": "mlp"},
            "data": {"name": "digits"},
            "optimizer": {"name": "sgd", "learningRate": 0.1},
            "budget": {"epochs": 1},
            **changes,
        }
    )


def test_a_model_gets_the_saved_values_buffers_included(tmp_path):
    trained, fresh = a_model(), a_model()
    trained(torch.randn(8, 4))
    load_initial_(fresh, saved(trained, tmp_path))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor)


def test_a_job_begins_with_its_initial_model_and_not_with_the_seeds(tmp_path):
    trained = initial_model(training(seed=1), input_shape=(64,), num_classes=10)
    job = training(seed=2, initialModel=saved(trained, tmp_path))
    begun = initial_model(job, input_shape=(64,), num_classes=10)
    for mine, its in zip(begun.parameters(), trained.parameters(), strict=True):
        assert torch.equal(mine, its)


def test_values_of_another_precision_are_converted(tmp_path):
    halves = {name: t.half() for name, t in a_model().state_dict().items()}
    save_file(halves, tmp_path / "half.safetensors")
    fresh = a_model()
    load_initial_(fresh, str(tmp_path / "half.safetensors"))
    assert fresh[0].weight.dtype == torch.float32
    assert torch.equal(fresh[0].weight, halves["0.weight"].float())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"^spec.training.initialModel /.*none.*cannot be read"):
        load_initial_(a_model(), str(tmp_path / "none"))


def test_a_pickled_file_is_refused_with_what_to_do(tmp_path):
    torch.save(a_model().state_dict(), tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"is no safetensors file .*gossip export"):
        load_initial_(a_model(), str(tmp_path / "model.pt"))


def test_names_that_differ_are_listed_but_not_all_of_many(tmp_path):
    other = nn.Sequential(*(nn.Linear(4, 4) for _ in range(5)))
    with pytest.raises(ModelError) as caught:
        load_initial_(a_model(), saved(other, tmp_path))
    text = str(caught.value)
    assert "it lacks 1.running_mean, 1.running_var, 1.num_batches_tracked; " in text
    assert "it has 3.bias, 3.weight, 4.bias, 4.weight, which the model does not; " in text
    assert "its 0.weight is [4, 4] instead of [5, 4]; " in text
    assert text.endswith("it must be a state dict of the same model with the same args")
    with pytest.raises(ModelError, match=r"it lacks 0\.weight, .* and 4 more"):
        load_initial_(a_model(), saved(nn.ModuleDict({"head": nn.Linear(2, 2)}), tmp_path))


def test_a_head_for_another_number_of_classes_is_refused_with_the_hint(tmp_path):
    with pytest.raises(ModelError) as caught:
        load_initial_(a_model(num_classes=10), saved(a_model(num_classes=3), tmp_path))
    text = str(caught.value)
    assert "its 2.weight is [3, 5] instead of [10, 5]; its 2.bias is [3] instead of [10]" in text
    assert "another number of classes, and a head is not carried over" in text


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_the_names_of_a_wrapper_are_recognised(tmp_path, prefix):
    wrapped = {f"{prefix}{name}": t for name, t in a_model().state_dict().items()}
    save_file(wrapped, tmp_path / "wrapped.safetensors")
    with pytest.raises(ModelError, match=f"its names begin with '{prefix}', a wrapper's"):
        load_initial_(a_model(), str(tmp_path / "wrapped.safetensors"))


def test_a_model_that_does_not_fit_is_left_as_it_was(tmp_path):
    fresh = a_model()
    before = {name: t.clone() for name, t in fresh.state_dict().items()}
    with pytest.raises(ModelError):
        load_initial_(fresh, saved(a_model(num_classes=4), tmp_path))
    assert all(torch.equal(fresh.state_dict()[name], t) for name, t in before.items())
