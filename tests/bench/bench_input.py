"""What reading images costs: our stream against torch's DataLoader, on the same JPEG files.

Writes 1,000 JPEG files of 500 x 375 pixels, ImageNet's usual size, and decodes them in as many
processes as the machine has CPUs. Three ways take turns: `ours`, the stream of data imagefolder;
`same`, a DataLoader whose items call the same decoding and whose batches are normalised in the same
place; `torchvision`, a DataLoader with the usual transforms: RandomResizedCrop, flip, ToTensor,
Normalize. Beside the rate it reads the CPU time of all processes, which says more on a machine that
others use too. Then lists a folder of 100,000 names.

Usage: python tests/bench/bench_input.py [ROUNDS]
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from jpegs import write_image_folder

from gossip_api.training import Data
from gossip_trainer.data.images.crops import RandomCrop
from gossip_trainer.data.images.folder import class_names, scan_images
from gossip_trainer.data.images.pixels import normalized
from gossip_trainer.data.images.reading import StoredImage, read_image
from gossip_trainer.data.registry import load_dataset
from gossip_trainer.data.sampler import Share
from gossip_trainer.data.stream import StreamPlan

BATCH_SIZE = 32
WARM_UP_BATCHES = 6
BATCHES = 24
NUM_PROCESSES = len(os.sched_getaffinity(0))
NUM_NAMES = 100_000
TICKS = os.sysconf("SC_CLK_TCK")

Batches = Iterator[object]


class SameDecoding(TorchDataset):
    """Items decoded by our function, not yet normalised."""

    def __init__(self, root: str) -> None:
        self.files = ImageFolder(root).samples
        self.crop = RandomCrop(224)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, target = self.files[index]
        pixels = read_image(StoredImage(path, index, target), self.crop)
        return torch.from_numpy(pixels.copy()), target


def ours(root: str) -> tuple[Batches, Callable[[], None]]:
    """Open the product's stream."""
    args = {"processes": NUM_PROCESSES}
    dataset = load_dataset(Data(name="imagefolder", root=root, args=args), 1)
    stream = dataset.stream(StreamPlan(BATCH_SIZE, Share(0, 1), "Partition", 1, 0))
    return stream, stream.close


def endless(loader: DataLoader) -> Batches:
    """Yield the loader's batches pass after pass."""
    while True:
        yield from loader


def loader_of(dataset: TorchDataset) -> DataLoader:
    """Return a loader as ImageNet is usually read."""
    return DataLoader(
        dataset,
        BATCH_SIZE,
        shuffle=True,
        drop_last=True,
        num_workers=NUM_PROCESSES,
        persistent_workers=True,
    )


def same(root: str) -> tuple[Batches, Callable[[], None]]:
    """Open a DataLoader around our decoding."""
    batches = endless(loader_of(SameDecoding(f"{root}/train")))
    done = (normalized(inputs.numpy(), targets.numpy()) for inputs, targets in batches)
    return done, batches.close


def torchvision(root: str) -> tuple[Batches, Callable[[], None]]:
    """Open a DataLoader with torchvision's transforms."""
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(224, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    batches = endless(loader_of(ImageFolder(f"{root}/train", transform)))
    return batches, batches.close


def cpu_seconds() -> float:
    """Return user and system time of this process and its children."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    stats = (Path(f"/proc/{pid}/stat").read_text() for pid in (me, *children))
    fields = (stat.rpartition(")")[2].split() for stat in stats)
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def measure(
    way: Callable[[str], tuple[Batches, Callable[[], None]]], root: str
) -> tuple[float, float]:
    """Return images per second, and the CPU's milliseconds per image, once all are at work."""
    batches, close = way(root)
    list(islice(batches, WARM_UP_BATCHES))
    begin, used = time.perf_counter(), cpu_seconds()
    list(islice(batches, BATCHES))
    seconds, used = time.perf_counter() - begin, cpu_seconds() - used
    close()
    num_images = BATCHES * BATCH_SIZE
    return num_images / seconds, used / num_images * 1e3


def quartiles(values: list[float]) -> str:
    """Return the three of them."""
    return ", ".join(f"{each:.2f}" for each in statistics.quantiles(values, method="inclusive"))


def seconds_to_list(root: Path) -> float:
    """Return how long a folder of empty files takes, 100 classes of 1,000."""
    for number in range(NUM_NAMES):
        path = root / f"n{number // 1000:08}" / f"n{number:08}_{number}.JPEG"
        if not number % 1000:
            path.parent.mkdir(parents=True)
        path.touch()
    begin = time.perf_counter()
    assert len(scan_images(root, class_names(root), all_classes=True)) == NUM_NAMES
    return time.perf_counter() - begin


def main(rounds: int) -> None:
    """Let the ways take turns; print medians, and quartiles of the rounds' ratios."""
    torch.set_num_threads(1)
    print(f"{NUM_PROCESSES} processes, Pillow {Image.__version__}, torch {torch.__version__}")
    ways = (ours, same, torchvision)
    found: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in ways}
    with tempfile.TemporaryDirectory() as root:
        write_image_folder(Path(root), classes=tuple("abcde"), train=200, val=1, size=(500, 375))
        for number in range(rounds):
            for way in ways if number % 2 == 0 else reversed(ways):
                found[way.__name__].append(measure(way, root))
                rate, cost = found[way.__name__][-1]
                print(
                    f"{number + 1}: {way.__name__} {rate:.0f} images/s, {cost:.2f} ms of CPU each"
                )
    for name, each in found.items():
        rate, cost = map(statistics.median, zip(*each, strict=True))
        print(f"{name}: medians {rate:.0f} images/s, {cost:.2f} ms of CPU each")
        if name != "ours":
            pairs = list(zip(found["ours"], each, strict=True))
            rates, costs = ([own[i] / other[i] for own, other in pairs] for i in (0, 1))
            print(f"  ours by it, quartiles: rate {quartiles(rates)}, CPU {quartiles(costs)}")
    with tempfile.TemporaryDirectory() as root:
        print(f"{NUM_NAMES:,} names: listed in {seconds_to_list(Path(root) / 'train'):.2f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["5"]))
