import pytest
import torch
from torch import nn

from gossip_trainer.data.sources import digits, quadratic, text
from gossip_trainer.errors import ModelError
from gossip_trainer.models.gpt import gpt
from gossip_trainer.models.quadratic import quadratic as build_quadratic
from gossip_trainer.process.trial import try_model


def test_a_model_that_answers_with_one_output_per_class_passes_and_goes_on_in_training_mode():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    try_model("m:f", module, digits.load())
    assert module.training


def test_a_model_without_classes_answers_with_one_output():
    try_model(
        "quadratic",
        build_quadratic(input_shape=(3,), num_classes=1),
        quadratic.load({"dimension": 3, "examples": 8}, seed=1),
    )


def test_a_model_of_sequences_answers_every_position(tmp_path):
    (tmp_path / "text").write_text("abcdefgh" * 9)
    data = text.load({"train": "text", "context": 4}, tmp_path)
    try_model("gpt", gpt(input_shape=(4,), num_classes=256, width=8), data)
    with pytest.raises(ModelError, match=r"must be a tensor of shape \(2, 4, 256\)"):
        try_model("m:f", nn.Embedding(256, 255), data)


@pytest.mark.parametrize("module", [nn.Flatten(), nn.Identity()])
def test_another_shape_is_refused(module):
    with pytest.raises(ModelError, match=r"must be a tensor of shape \(2, 10\)"):
        try_model("m:f", module, digits.load())


def test_a_failure_is_told_with_the_batch_it_failed_on():
    with pytest.raises(ModelError, match=r"fails on a batch of shape \(2, 1, 8, 8\)"):
        try_model("m:f", nn.Linear(3, 10), digits.load())


def test_what_the_model_itself_says_is_told_as_it_is():
    data = quadratic.load({"dimension": 3, "examples": 8, "precision": "float64"}, seed=1)
    with pytest.raises(ModelError, match=r"^spec\.training\.model\.args\.precision"):
        try_model("quadratic", build_quadratic(input_shape=(3,), num_classes=1), data)
    assert data.train_batch(torch.tensor([0])).inputs.dtype == torch.float64


def test_what_would_become_nan_when_it_is_averaged_is_refused_and_what_is_not_exchanged_is_not():
    class Masked(nn.Module):
        def __init__(self, persistent):
            super().__init__()
            self.inner = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
            self.register_buffer("mask", torch.tensor([-torch.inf, 0.0]), persistent=persistent)

        def forward(self, inputs):
            return self.inner(inputs)

    try_model("m:f", Masked(persistent=False), digits.load())
    with pytest.raises(ModelError, match="m:f: mask has values that are not finite"):
        try_model("m:f", Masked(persistent=True), digits.load())
