"""The pipeline's training against the usual way: one PIL image at a time in the worker processes of a DataLoader."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks import inputs
from benchmarks.result import Group, Result, Row, clock, interleave, medians, skipped
from benchmarks.training import SEEDS, fresh
from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import device, losses, train
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.step import launched

WORKERS, PREFETCH = 2, 4  # of the DataLoader; on two cores it has all of them for its workers
GPU_WORKERS = min(16, len(os.sched_getaffinity(0)))  # beside a GPU the cores have nothing else to do
NOISE_MEAN, NOISE_STD = 0.5, 0.29  # of pixels scaled to 0..1
ROTATION = 15  # degrees, as the thesis rotates
DEFAULT_THREADS = torch.get_num_threads()  # what a script gets that does not ask: one per core
GOAL = "at least 2x"
HOW = (
    "Images per second of `pipeline_lib.learn.train.train` divided by those of the usual way: torchvision's transforms on one PIL "
    f"image at a time (crop with 4 reflected pixels, flip, rotation of {ROTATION} degrees, tensor, normalisation) in a DataLoader "
    f"with {WORKERS} persistent worker processes (beside a GPU one per core, at most 16) that prefetch {PREFETCH} batches each, "
    "shuffled, feeding the same step, which on a GPU it launches where ours is replayed. Same model (recipe `small`, on a GPU "
    "`resnet18`), batch, examples and augmentation; a whole epoch of each in turn after a pair to warm up, the loader's workers "
    "started beforehand; the value is the median of the ratios of neighbours. On two cores the loader has both for its workers, "
    "the pipeline's training one thread."
)
ROW_ONE = Row(
    "loader_one_thread",
    "Training / DataLoader, one thread each",
    "x",
    how="For information: the steps fed by the loader have one thread too, but its workers take the other core, so the usual way "
    "computes on two cores and the pipeline on one.",
)
ROW_DEFAULT = Row(
    "loader_default_threads",
    "Training / DataLoader, torch's own thread count",
    "x",
    how="For information: the steps fed by the loader have as many threads as torch takes by itself, one per core, and compete "
    "with the workers for them. This is what a script gets that does not set the number.",
)
ROW_MACHINE = Row(
    "loader_machine",
    "Two trainings at once / one fed by a DataLoader",
    "x",
    GOAL,
    how="Two trainings in two processes with one thread each, as `--cores 2` runs the pipeline: their images over the time until "
    "both are done, against one training fed by the loader, one thread for its steps. What two cores yield either way.",
)
ROW_GPU = Row(
    "loader_gpu",
    "Training / DataLoader, recipe `resnet18`, GPU",
    "x",
    GOAL,
    how="On the GPU; the loader pins its memory.",
    needs="a GPU",
)
TOGETHER = 2  # trainings at once
PATIENCE = 300  # seconds until a process that does not answer is given up


class Usual:
    """A training as it is usually written.

    Args:
        dataset: the images.
        data: the same on the device; only its sizes are used.
        recipe: with crop, flip and rotation.
    """

    def __init__(self, dataset: Dataset, data: Data, recipe: Recipe):
        self._recipe, self._where = recipe, data.device
        self._model, self._optimiser = fresh(data, recipe)
        self._loss = losses.plain(recipe)
        self._loader = DataLoader(
            PilImages(dataset, recipe),
            batch_size=recipe.batch,
            shuffle=True,
            num_workers=GPU_WORKERS if self._where.type == "cuda" else WORKERS,
            persistent_workers=True,
            prefetch_factor=PREFETCH,
            pin_memory=self._where.type == "cuda",
        )

    def epoch(self) -> float:
        """Train for one epoch and return images per second."""
        return len(self._loader.dataset) / clock(self._epoch)

    def _epoch(self) -> None:
        for images, labels in self._loader:
            images = images.to(self._where, non_blocking=True, memory_format=torch.channels_last)  # the model's layout
            labels = labels.to(self._where, non_blocking=True)
            rate = self._optimiser.rate(self._recipe.optimiser.lr)
            launched(self._model, self._optimiser, self._recipe.precision, self._loss, images, labels, rate)
        device.wait(self._where)


class PilImages(torch.utils.data.Dataset):
    """The training images, transformed one at a time.

    Args:
        dataset: the images, kept as (H, W, C) arrays.
        recipe: its augmentation is expressed in torchvision's transforms.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe):
        self._pixels = np.ascontiguousarray(dataset.train_images.transpose(0, 2, 3, 1))
        self._labels = dataset.train_labels.tolist()
        change = recipe.augmentation
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(self._pixels.shape[1:3], padding=change.crop_padding, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(0.5 if change.flip else 0),
                transforms.RandomRotation(change.rotation),
                transforms.ToTensor(),
                transforms.Normalize([NOISE_MEAN] * 3, [NOISE_STD] * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[index])), self._labels[index]


def our_epoch(data: Data, recipe: Recipe) -> train.Trained:
    """Train as the pipeline does, for the one epoch of the recipe."""
    return train.train(data, np.arange(data.train.examples), recipe, SEEDS)


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    steps, repeats = (8, 2) if quick else (80, 7)
    recipe = inputs.recipe("small", 1, crop_padding=4, flip=True, rotation=ROTATION)
    dataset, cpu = inputs.images(steps * recipe.batch, 3, 32), torch.device("cpu")
    yield alone(ROW_ONE, dataset, recipe, cpu, repeats, threads=1)
    yield alone(ROW_DEFAULT, dataset, recipe, cpu, min(repeats, 3), threads=DEFAULT_THREADS)  # slow, and for information
    yield together(dataset, recipe, repeats)
    if not torch.cuda.is_available():
        yield from skipped([ROW_GPU])
        return
    recipe = inputs.recipe("resnet18", 1, "cuda", crop_padding=4, flip=True, rotation=ROTATION)
    dataset = inputs.images((10 if quick else 50) * recipe.batch, 3, 32)
    yield alone(ROW_GPU, dataset, recipe, device.choose("cuda"), repeats, threads=1)


def alone(row: Row, dataset: Dataset, recipe: Recipe, where: torch.device, repeats: int, threads: int) -> Result:
    """Compare one training with one thread with a loader-fed one whose steps take `threads`."""
    data = Data(dataset, recipe, where)
    usual = Usual(dataset, data, recipe)

    def ours() -> float:
        device.choose(where.type, 1)
        done = our_epoch(data, recipe)
        return done.speed.images / done.seconds

    def theirs() -> float:
        device.choose(where.type, threads)
        return usual.epoch()

    pairs = interleave(ours, theirs, repeats)
    workers = GPU_WORKERS if where.type == "cuda" else WORKERS
    return compare(row, pairs, f", {workers} workers and {threads} thread{'s' * (threads > 1)} for its steps")


def together(dataset: Dataset, recipe: Recipe, repeats: int) -> Result:
    """Compare two trainings at once with one that is fed by a loader."""
    usual = Usual(dataset, Data(dataset, recipe, device.choose("cpu", 1)), recipe)
    pairs = at_once(partial(_epochs_of, len(dataset.train_labels), recipe), len(dataset.train_labels), usual.epoch, repeats)
    return compare(ROW_MACHINE, pairs, f", {WORKERS} workers and 1 thread for its steps")


def at_once(prepare: Callable[[], Callable[[], object]], images: int, theirs: Callable[[], float], repeats: int) -> list:
    """Measure trainings at once in processes of their own, in turn with something else.

    Args:
        prepare: returns what a process does again and again; itself a function that another process can import.
        images: that each process trains on in one go.
        theirs: returns the images per second of the other side.
        repeats: pairs after one to warm up.

    Returns:
        Pairs of images per second: all processes together, the other side.
    """
    spawn = multiprocessing.get_context("spawn")  # as the pipeline's jobs: processes that share nothing
    start, finished = spawn.Barrier(TOGETHER + 1), spawn.Queue()
    jobs = [spawn.Process(target=_job, args=(start, finished, repeats + 1, prepare), daemon=True) for _ in range(TOGETHER)]
    for job in jobs:
        job.start()

    def wait_for_all() -> None:
        for _ in jobs:
            finished.get(timeout=PATIENCE)

    def ours() -> float:
        start.wait(timeout=PATIENCE)
        return TOGETHER * images / clock(wait_for_all)

    pairs = interleave(ours, theirs, repeats)
    for job in jobs:
        job.join()
    return pairs


def _job(start, finished, times: int, prepare: Callable[[], Callable[[], object]]) -> None:
    """One of the trainings at once: begin with the others, tell when done."""
    train_once = prepare()
    train_once()  # what is imported or allocated at the first step is not to be waited for
    for _ in range(times):
        start.wait(timeout=PATIENCE)
        train_once()
        finished.put(True)


def _epochs_of(examples: int, recipe: Recipe) -> Callable[[], object]:
    return partial(our_epoch, Data(inputs.images(examples, 3, 32), recipe, device.choose("cpu", 1)), recipe)


def compare(row: Row, pairs: list[tuple[float, float]], note: str) -> Result:
    """Return the ratios of neighbours, with both rates in words."""
    ours, theirs = medians(pairs)
    return Result(row.key, tuple(a / b for a, b in pairs), f"{ours:,.0f} against {theirs:,.0f} images/s{note}")


GROUP = Group("loader", "Training against a DataLoader", HOW, (ROW_ONE, ROW_DEFAULT, ROW_MACHINE, ROW_GPU), measure)
