"""A job on JPEG files that is killed again and again, and learns all the same."""

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from gossip_api.loading import parse_job
from gossip_api.names import Role, parse_member_name
from gossip_trainer.launch.local_run import RunOptions, run_locally
from gossip_trainer.observability.event_log import EventTail
from gossip_trainer.observability.events import Began, Evaluation, Left, Saved, Started

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(600)]

KILLS = 10
CLASSES, TRAIN, TEST, SIDE = 4, 40, 25, 32
NOISE = 0.06  # between two undisturbed runs accuracies of 100 test images differ by that


def pattern(number, draw):
    """Return a pattern of the class, shape (SIDE, SIDE); crops and flips leave it in its class."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    down = np.sin(2 * np.pi * (3 * rows + draw.random()))
    across = np.sin(2 * np.pi * (3 * columns + draw.random()))
    return (down, across, down * across, np.zeros_like(rows))[number]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Make JPEG files in folders as ImageNet has them; colours say nothing of the class."""
    root = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(5)
    for split, count in (("train", TRAIN), ("val", TEST)):
        for number in range(CLASSES):
            folder = root / split / f"n{number:08d}"
            folder.mkdir(parents=True)
            for index in range(count):
                texture = 50 * pattern(number, draw)[..., None]
                noise = draw.normal(0, 12, (SIDE, SIDE, 3))
                image = draw.integers(60, 196, 3) + texture + noise
                Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.JPEG")
    return root


@pytest.fixture
def job(digits, photos):
    return parse_job(
        yaml.safe_dump(
            digits(
                strategy={"type": "ElasticAveraging", "elasticAveraging": {"period": 2}},
                workers={"replicas": 2},
                server={"shards": 1},
                training__model={"name": "resnet18"},
                training__data={
                    "name": "imagefolder",
                    "root": str(photos),
                    "args": {"size": 16, "resize": 20, "processes": 0},
                },
                training__batchSize=8,
                training__optimizer={"name": "sgd", "learningRate": 0.02, "momentum": 0.9},
                training__schedule={"name": "cosine"},
                training__budget={"epochs": 20},
                evaluation={"every": "2s"},
                checkpoint={"storage": {"claimName": "any"}, "every": "1s"},
            )
        )
    )


class Killed(Exception):  # noqa: N818 - what happened
    """All processes at once."""


class Chaos:
    """Kills a process, or all, whenever training got on since the last time.

    Attributes:
        killed: what was, in order.

    """

    def __init__(self, seed):
        self._draw = random.Random(seed)
        self._living, self._training, self._saved = {}, set(), set()
        self.killed = []

    def watch(self, records):
        for record in records:
            match record:
                case Started():
                    self._living[record.source] = record.pid
                case Began():
                    self._training.add(parse_member_name(record.source).index)
                case Saved():
                    self._saved.add(record.source)
                case Left():
                    self._living.pop(record.member, None)
        if len(self._training) == 2 and len(self._saved) >= 2 and len(self.killed) < KILLS:
            self._kill()

    def _kill(self):
        # Each at least twice in ten times; the order is up to chance.
        order = [*Role, "all"] * 2 + [Role.WORKER, Role.WORKER]
        random.Random(3).shuffle(order)
        target = order[len(self.killed)]
        if target == "all":
            self._note(target)
            self._living.clear()
            self._training.clear()
            raise Killed
        names = sorted(name for name in self._living if parse_member_name(name).role is target)
        if names:  # one that was killed a moment ago may not be back yet
            self._note(target)
            name = self._draw.choice(names)
            if target is Role.WORKER:
                self._training.discard(parse_member_name(name).index)
            os.kill(self._living.pop(name), signal.SIGKILL)

    def _note(self, target):
        self.killed.append(str(target))
        self._saved.clear()


def final_of(out: Path):
    records = EventTail(out / "events.jsonl").new()
    (final,) = [each for each in records if isinstance(each, Evaluation) and each.final]
    return final


def test_killed_ten_times_it_is_as_good_as_undisturbed(job, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    outcome = run_locally(job, RunOptions(out=undisturbed), lambda _new: None)
    assert outcome.state == "succeeded", outcome.reason

    chaos, outcome = Chaos(seed=7), None
    while outcome is None:
        options = RunOptions(out=disturbed, replace_lost=True, resume=disturbed.exists())
        try:
            outcome = run_locally(job, options, chaos.watch)
        except Killed:
            continue
    assert outcome.state == "succeeded", outcome.reason
    assert len(chaos.killed) == KILLS
    assert {"worker", "server", "evaluator", "all"} <= set(chaos.killed)
    one, other = final_of(undisturbed), final_of(disturbed)
    print(f"undisturbed {one.accuracy:.3f}, killed ten times {other.accuracy:.3f}")
    assert one.accuracy > 0.9, one
    assert other.accuracy > one.accuracy - NOISE
