"""A simulated job begins with its initial model, as a real one does."""

import torch

from gossip_trainer.data.registry import load_dataset
from gossip_trainer.replica.export import save_model
from gossip_trainer.replica.initial import initial_model


def test_all_workers_begin_with_the_saved_values(make_simulator, tmp_path):
    by_seed = make_simulator()
    training = by_seed._job.spec.training
    dataset = load_dataset(training.data, training.seed)
    other = training.model_copy(update={"seed": 99})
    module = initial_model(other, input_shape=dataset.input_shape, num_classes=dataset.num_classes)
    path = tmp_path / "trained.safetensors"
    save_model(module, path, {})

    simulator = make_simulator(training={"initialModel": str(path)})

    for worker, before in zip(simulator.workers, by_seed.workers, strict=True):
        begun = worker.parts.replica.model.vector
        assert torch.equal(begun[:8], module.state_dict()["1.weight"].flatten()[:8])
        assert not torch.equal(begun, before.parts.replica.model.vector)
