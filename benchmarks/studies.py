"""What whole studies of CIFAR-10 take on one GPU: long trainings, the sliding window, SwAV."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks import inputs
from benchmarks.result import Group, Result, Row, clock, skipped
from benchmarks.training import SEEDS
from pipeline_lib.config import Recipe
from pipeline_lib.learn import device, train
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.swav import SwavTraining

EXAMPLES, SIDE, EPOCHS, KEPT = 50_000, 32, 60, 0.4
STARTS, METRICS, TRAININGS = 7, 7, 3  # of the sliding window
HOW = (
    "Noise of CIFAR-10's size, recipe `resnet18` for 60 epochs instead of its 30, one training at a time in one process. The first "
    "training of each size is short and warms up."
)
FULL = Row("epochs60_gpu", f"{EPOCHS} epochs of `resnet18` on all of CIFAR-10, GPU", "s", "at most 35 s", needs="a GPU")
WINDOW = Row(
    "window_gpu",
    f"Sliding window of CIFAR-10, {EPOCHS} epochs, GPU",
    "min",
    "at most 60 min",
    f"Computed: {STARTS} starts x {METRICS} metrics x {TRAININGS} seeds and {TRAININGS} random subsets of {KEPT:.0%} at the "
    f"seconds of one training of {KEPT:.0%}, {TRAININGS} trainings of all data at those of the row above.",
    "a GPU",
)
FEATURES = Row(
    "swav_cifar_gpu",
    "SwAV as `swav.cifar`, CIFAR-10's size, GPU",
    "min",
    "at most 8 min",
    "Computed: the seconds of one epoch and of one logged kNN accuracy, times as many as the section says.",
    "a GPU",
)


@dataclass(frozen=True)
class Sizes:
    """Images, epochs of a training, epochs of SwAV that are timed."""

    examples: int
    epochs: int
    looked_at: int


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    if not torch.cuda.is_available():
        yield from skipped([FULL, WINDOW, FEATURES])
        return
    sizes, where = Sizes(2_000, 2, 1) if quick else Sizes(EXAMPLES, EPOCHS, 5), device.choose("cuda")
    yield from trainings(sizes, inputs.recipe("resnet18", sizes.epochs, "cuda"), where)
    yield features(sizes, "cifar", where)


def trainings(sizes: Sizes, recipe: Recipe, where: torch.device) -> Iterator[Result]:
    """Measure one training on all images and one on a part, and compute the window."""
    data = Data(inputs.images(sizes.examples, 3, SIDE), recipe, where)

    def seconds(count: int) -> float:
        warm_up = recipe.model_copy(update={"epochs": 1})
        train.train(data, np.arange(count), warm_up, SEEDS)
        return clock(lambda: train.train(data, np.arange(count), recipe, SEEDS))

    full, part = seconds(sizes.examples), seconds(round(KEPT * sizes.examples))
    yield Result(FULL.key, (full,), f"{sizes.examples * sizes.epochs / full:,.0f} images/s, batch {recipe.batch}")
    total = (STARTS * METRICS * TRAININGS + TRAININGS) * part + TRAININGS * full
    yield Result(WINDOW.key, (total / 60,), f"{part:.1f} s for one training of {KEPT:.0%}, {full:.1f} s for one of all")


def features(sizes: Sizes, section: str, where: torch.device) -> Result:
    """Measure epochs of SwAV and its kNN evaluation."""
    dataset = inputs.images(sizes.examples, 3, SIDE)
    settings = settled(inputs.study().swav[section], dataset, where)
    training = SwavTraining(dataset, settings, inputs.SEED, where)
    training.train(0)  # warms up
    epochs = [clock(lambda number=number: training.train(number)) for number in range(1, sizes.looked_at + 1)]
    looks = [clock(lambda number=number: training.look(number)) for number in range(2)]
    epoch, look = float(np.median(epochs)), looks[-1]
    minutes = (settings.epochs * epoch + settings.epochs / settings.log_every * look) / 60
    return Result(FEATURES.key, (minutes,), f"{epoch:.2f} s an epoch, {look:.2f} s a logged accuracy, batch {settings.batch}")


GROUP = Group("studies", "Studies of CIFAR-10 on one GPU", HOW, (FULL, WINDOW, FEATURES), measure)
