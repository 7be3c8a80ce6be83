import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.flat import FlatModel


def test_a_saved_model_loads_into_a_fresh_module(tmp_path):
    flat = FlatModel(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)))
    flat.module(torch.randn(8, 3))
    save_model(flat.module, tmp_path / "model.safetensors", {"job": "mnist"})
    fresh = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))
    inputs = torch.randn(5, 3)
    assert torch.equal(fresh.eval()(inputs), flat.module.eval()(inputs))


def test_texts_are_stored_beside_the_tensors_and_nothing_else_is_left_behind(tmp_path):
    save_model(nn.Linear(2, 2), tmp_path / "model.safetensors", {"job": "mnist", "samples": "7"})
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"job": "mnist", "samples": "7"}
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_tied_weights_are_saved_under_both_names(tmp_path):
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    save_model(FlatModel(module).module, tmp_path / "model.safetensors", {})
    saved = load_file(tmp_path / "model.safetensors")
    assert torch.equal(saved["0.weight"], saved["1.weight"])
