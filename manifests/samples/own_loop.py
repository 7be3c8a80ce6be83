"""The training script of 20-own-loop.yaml: a plain PyTorch loop with a session around it."""

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gossip_trainer import Session
from gossip_trainer.data.sources import digits


def build_model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


if __name__ == "__main__":
    known = digits.load()
    data = TensorDataset(*known.train_batch(torch.arange(known.num_examples)))
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    with Session(model, optimizer, job=Path(__file__).with_name("20-own-loop.yaml")) as session:
        loader = DataLoader(data, batch_size=16, sampler=session.sampler(data))
        for images, labels in session.batches(loader):
            loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=0.1)
            loss.backward()
            session.step(loss, samples=len(labels))
