"""The training script of 21-accelerate.yaml: Hugging Face Accelerate computes, a session steps."""

from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gossip_trainer import Session
from gossip_trainer.data.sources import digits


def build_model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def main() -> None:
    accelerator = Accelerator(mixed_precision="bf16", gradient_accumulation_steps=2)
    known = digits.load()
    data = TensorDataset(*known.train_batch(torch.arange(known.num_examples)))
    model = accelerator.prepare(build_model())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    samples = 0
    with Session(model, optimizer, job=Path(__file__).with_name("21-accelerate.yaml")) as session:
        loader = DataLoader(data, batch_size=8, sampler=session.sampler(data))
        for batch in session.batches(loader):
            images, labels = (part.to(accelerator.device) for part in batch)
            with accelerator.accumulate(model):
                loss = nn.functional.cross_entropy(model(images), labels)
                accelerator.backward(loss)
                samples += len(labels)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), 1.0)
                    session.step(loss, samples=samples)
                    samples = 0


if __name__ == "__main__":
    main()
