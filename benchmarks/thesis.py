"""The pipeline's training against the way the thesis trained, written afresh from its description, at the same batch."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks import inputs
from benchmarks.loader import DEFAULT_THREADS, PREFETCH, ROTATION, WORKERS, PilImages, at_once, compare
from benchmarks.result import Group, Result, Row, clock, interleave, skipped
from benchmarks.training import SEEDS, fresh
from pipeline_lib.config import Adam, Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import device, train
from pipeline_lib.learn.feed import Data

BATCH, RATE = 25, 1e-3  # of the thesis's CIFAR-10 recipe
GPU_WORKERS = 4  # as the thesis's loader beside its GPU
TEST_SHARE = 5  # training images to one test image, as in CIFAR-10
HOW = (
    "Training images per second, an evaluation pass over the test images after every epoch included (a fifth as many as "
    f"training images), batch {BATCH}, Adam, crop, flip and rotation. The thesis's way: torchvision's transforms on one PIL "
    f"image at a time in a DataLoader with {WORKERS} workers, the default memory layout, `torch.optim`, the loss read after every "
    "step, the evaluation through a loader too. The two alternate; the value is the median of the ratios of neighbours after a "
    "pair to warm up."
)
ROW_CPU = Row(
    "thesis_machine",
    "Two trainings at once / one as the thesis trained",
    "x",
    "at least 3x",
    how="Recipe `small` at batch 25. Ours: two processes with one thread each, as `--cores 2` runs the pipeline; the thesis's way "
    "has the threads that torch takes by itself, one per core. What two cores yield either way.",
)
ROW_ONE = Row(
    "thesis_one_thread",
    "The same, the thesis's steps with one thread",
    "x",
    how="Its workers have the other core to themselves: the better setting, which its description does not ask for.",
)
ROW_GPU = Row(
    "thesis_way_gpu",
    "Training / as the thesis trained, recipe `resnet18`, GPU",
    "x",
    how=f"One training each. The thesis's has {GPU_WORKERS} workers and pinned memory, float16 by autocast, and cuDNN's choice by "
    "timing.",
    needs="a GPU",
)


class AsTheThesis:
    """A training as the thesis describes it.

    Args:
        dataset: the images.
        data: the same on the device; only its sizes are used.
        recipe: crop, flip and rotation; batch.
    """

    def __init__(self, dataset: Dataset, data: Data, recipe: Recipe):
        self._where = data.device
        self._model = fresh(data, recipe)[0].to(memory_format=torch.contiguous_format)
        self._optimiser = torch.optim.Adam(self._model.parameters(), lr=RATE)
        tested = Dataset(dataset.test_images, dataset.test_labels, *[None] * 4)
        gpu = self._where.type == "cuda"
        options = {"batch_size": recipe.batch, "num_workers": GPU_WORKERS if gpu else WORKERS, "pin_memory": gpu}
        options |= {"persistent_workers": True, "prefetch_factor": PREFETCH}
        unchanged = recipe.model_copy(update={"augmentation": type(recipe.augmentation)()})
        self._train = DataLoader(PilImages(dataset, recipe), shuffle=True, **options)
        self._test = DataLoader(PilImages(tested, unchanged), **options)

    def epoch(self) -> float:
        """Train for one epoch, evaluate, and return training images per second."""
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):  # a CPU has none
            return len(self._train.dataset) / clock(self._epoch)

    def _epoch(self) -> None:
        self._model.train()
        for images, labels in self._train:
            self._optimiser.zero_grad()
            with self._half():
                loss = nn.functional.cross_entropy(self._model(images.to(self._where)), labels.to(self._where))
            loss.backward()
            self._optimiser.step()
            loss.item()
        self._model.eval()
        with torch.no_grad(), self._half():
            for images, labels in self._test:
                (self._model(images.to(self._where)).argmax(dim=1) == labels.to(self._where)).sum().item()

    def _half(self) -> torch.autocast:
        return torch.autocast(self._where.type, torch.float16, enabled=self._where.type == "cuda")


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    steps, repeats = (16, 2) if quick else (160, 7)
    for row, threads in ((ROW_CPU, DEFAULT_THREADS), (ROW_ONE, 1)):
        yield together(row, *setting("small", steps), repeats, threads)
    if not torch.cuda.is_available():
        yield from skipped([ROW_GPU])
        return
    dataset, recipe = setting("resnet18", 40 if quick else 400, "cuda")
    where = device.choose("cuda")
    data = Data(dataset, recipe, where)
    theirs = AsTheThesis(dataset, data, recipe)
    yield compare(ROW_GPU, interleave(lambda: _ours(data, recipe), theirs.epoch, repeats), f", {GPU_WORKERS} workers")


def setting(name: str, steps: int, kind: str = "cpu") -> tuple[Dataset, Recipe]:
    """Return noise for so many steps, and a recipe with the thesis's batch, optimiser and augmentation."""
    recipe = inputs.recipe(name, 1, kind, crop_padding=4, flip=True, rotation=ROTATION)
    recipe = recipe.model_copy(update={"batch": BATCH, "optimiser": Adam(name="adam", lr=RATE)})
    whole = inputs.images(steps * BATCH, 3, 32)
    tested = slice(len(whole.train_labels) // TEST_SHARE)
    test = (whole.train_images[tested], whole.train_labels[tested])
    return Dataset(whole.train_images, whole.train_labels, *test, whole.class_names, whole.source_id), recipe


def together(row: Row, dataset: Dataset, recipe: Recipe, repeats: int, threads: int) -> Result:
    """Compare two of our trainings at once with one in the thesis's way, whose steps take `threads`."""
    torch.set_num_threads(threads)
    theirs = AsTheThesis(dataset, Data(dataset, recipe, torch.device("cpu")), recipe)
    examples = len(dataset.train_labels)
    pairs = at_once(partial(_epochs_of, examples // BATCH), examples, theirs.epoch, repeats)
    return compare(row, pairs, f", {WORKERS} workers and {threads} thread{'s' * (threads > 1)} for its steps")


def _epochs_of(steps: int) -> Callable[[], object]:
    dataset, recipe = setting("small", steps)
    return partial(_ours, Data(dataset, recipe, device.choose("cpu", 1)), recipe)


def _ours(data: Data, recipe: Recipe) -> float:
    def epoch() -> None:
        done = train.train(data, np.arange(data.train.examples), recipe, SEEDS)
        train.test(done.model, data, recipe)

    return data.train.examples / clock(epoch)


GROUP = Group("thesis", "Training as the thesis did", HOW, (ROW_CPU, ROW_ONE, ROW_GPU), measure)
