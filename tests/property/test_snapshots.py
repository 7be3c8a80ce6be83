"""Rotating snapshot buffers under any order of publishing, pinning and releasing."""

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from torch import nn

from gossip_trainer.algorithms.iterate import Iterate
from gossip_trainer.replica.layout import layout_of
from gossip_trainer.replica.snapshots import Snapshots
from gossip_trainer.transport.chunks import digest
from gossip_trainer.transport.wire import SnapshotHeader

LAYOUT = layout_of(nn.Linear(3, 2))


class Rotation(RuleBasedStateMachine):
    pins = Bundle("pins")

    def __init__(self):
        super().__init__()
        self.step = 0
        self.newest = None
        self.held = []  # steps that readers hold, as often as they do

    @initialize(num_buffers=st.integers(2, 4))
    def begin(self, num_buffers):
        self.num_buffers = num_buffers
        self.snapshots = Snapshots(LAYOUT, num_buffers=num_buffers)

    @rule()
    def publish(self):
        self.step += 1
        x = Iterate(torch.full((LAYOUT.size,), float(self.step)))
        busy = set(self.held) | ({self.newest} if self.newest is not None else set())
        published = self.snapshots.publish(x, SnapshotHeader(step=self.step, samples=self.step))
        assert published == (len(busy) < self.num_buffers)
        if published:
            self.newest = self.step

    @rule(target=pins)
    def pin(self):
        pin = self.snapshots.pin()
        assert (pin.header.step if pin is not None else None) == self.newest
        self.held += [self.newest] if pin is not None else []
        return pin, self.newest

    @rule(held=pins)
    def look(self, held):
        pin, step = held
        if pin is not None:
            assert pin.header == SnapshotHeader(step=step, samples=step)
            assert torch.equal(pin.vector, torch.full((LAYOUT.size,), float(step)))
            assert pin.digests.of(0, pin.memory) == digest(pin.memory)

    @rule(held=consumes(pins))
    def release(self, held):
        self.look(held)
        pin, step = held
        if pin is not None:
            pin.release()
            self.held.remove(step)

    @invariant()
    def the_newest_can_always_be_read(self):
        if self.newest is not None:
            pin = self.snapshots.pin()
            assert pin.header.step == self.newest
            assert torch.equal(pin.vector, torch.full((LAYOUT.size,), float(self.newest)))
            pin.release()


Rotation.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestAnyOrderOfPublishingPinningAndReleasing = Rotation.TestCase
