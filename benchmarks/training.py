"""The training loop with its augmentation against the bare arithmetic of its steps."""

import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks import inputs, isolated
from benchmarks.result import Group, Result, Row, clock, interleave, medians, skipped
from pipeline_lib.config import Recipe
from pipeline_lib.learn import augment, device, models, train
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.replay import WARM_UP
from pipeline_lib.learn.step import Step

GOAL = "at least 95%"
SEEDS = Seeds(inputs.SEED, "training", 0)
HOW = (
    "Images per second of `pipeline_lib.learn.train.train` as the pipeline runs it (a new order, crops, flips and rotations for "
    "every example and epoch, schedule, loss), divided by those of the same step function on one batch that stays on the device: "
    "forward, backward, optimiser and nothing else. Same process, model, batch, thread count and memory layout, noise for images, "
    "a fresh model for both, in the precision that `auto` means here. The two alternate; "
    "the value is the median of the ratios of neighbours after a pair to warm up."
)
CPU_ROWS = (
    Row("loop_small_cpu", "Training loop / bare steps, recipe `small`", "%", GOAL, "32x32x3, one CPU thread."),
    Row("loop_digits_cpu", "Training loop / bare steps, recipe `small_digits`", "%", GOAL, "1,472 images, 8x8x1, one thread."),
)
GROWTH = Row(
    "growth",
    "Seconds per image with 8 times as many / with few",
    "x",
    "about 1x",
    "Recipe `small` in single precision on 1,280 and 10,240 images of 32x32x3, one CPU thread: the cost grows as the examples do.",
)
FEW, TIMES_AS_MANY = 1280, 8
KEPT_CASES = (("small", 128, 3200), ("resnet32_threshold", 64, 640), ("resnet18", 64, 128))  # recipe, batch, images
KEPT_HOW = (
    "Three trainings one after another, 32x32x3, single precision, one CPU thread, as a job runs them and with glibc left as it "
    "is, each in a fresh process, in turn; the middle one of the three counts. {} images each."
)
KEPT_ROWS = (
    Row("kept_small_cpu", "Memory kept / given back, recipe `small`", "x", "", KEPT_HOW.format("3,200")),
    Row("kept_resnet32_cpu", "Memory kept / given back, `resnet32_threshold`", "x", "", KEPT_HOW.format("640")),
    Row("kept_resnet18_cpu", "Memory kept / given back, `resnet18` at batch 64", "x", "", KEPT_HOW.format("128")),
)
GPU_ROWS = (
    Row("loop_resnet18_gpu", "Training loop / bare steps, recipe `resnet18`, GPU", "%", GOAL, "32x32x3, on the GPU.", "a GPU"),
)


@dataclass(frozen=True)
class Case:
    """One measurement: a recipe on images of one size, `steps` full batches an epoch."""

    row: Row
    recipe: str
    channels: int
    side: int
    steps: int
    epochs: int
    repeats: int


def cases(quick: bool) -> list[Case]:
    """Return the measurements with sizes of a few seconds each, or tiny ones."""
    small, digits = CPU_ROWS
    found = [
        Case(small, "small", 3, 32, *((10, 1, 2) if quick else (100, 1, 9))),
        # as many images as the digits data set has
        Case(digits, "small_digits", 1, 8, *((23, 3, 2) if quick else (23, 60, 9))),
    ]
    if torch.cuda.is_available():
        found.append(Case(GPU_ROWS[0], "resnet18", 3, 32, *((10, 1, 2) if quick else (97, 2, 9))))
    return found


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    for case in cases(quick):
        yield ratio(case, device.choose("cuda" if case.row in GPU_ROWS else "cpu"))
    yield growth(quick)
    for row, (name, batch, examples) in zip(KEPT_ROWS, KEPT_CASES, strict=True):
        yield kept(row, name, *((8, 8, 1) if quick else (batch, examples, 5)))
    if not torch.cuda.is_available():
        yield from skipped(GPU_ROWS)


def ratio(case: Case, where: torch.device) -> Result:
    """Measure one case."""
    recipe = inputs.recipe(case.recipe, case.epochs)
    dataset = inputs.images(case.steps * recipe.batch, case.channels, case.side)
    recipe = settled(recipe.model_copy(update={"precision": "auto"}), dataset, where)
    data = Data(dataset, recipe, where)
    everything, batch = np.arange(data.train.examples), resident_batch(data, recipe)

    def loop() -> float:
        done = train.train(data, everything, recipe, SEEDS)
        return done.speed.images / done.seconds

    def bare() -> float:
        return bare_rate(data, recipe, batch, case.steps * case.epochs)

    pairs = interleave(loop, bare, case.repeats)
    ours, limit = medians(pairs)
    detail = f"{ours:,.0f} against {limit:,.0f} images/s, batch {recipe.batch}, {recipe.precision}"
    return Result(case.row.key, tuple(100 * a / b for a, b in pairs), detail)


def growth(quick: bool) -> Result:
    """Measure whether many images take longer each than few."""
    few, repeats = (32, 2) if quick else (FEW, 5)
    recipe, where = inputs.recipe("small", 1), device.choose("cpu", 1)
    data = Data(inputs.images(TIMES_AS_MANY * few, 3, 32), recipe, where)

    def per_image(count: int) -> float:
        done = train.train(data, np.arange(count), recipe, SEEDS)
        return done.seconds / count

    pairs = interleave(lambda: per_image(TIMES_AS_MANY * few), lambda: per_image(few), repeats)
    many, one = medians(pairs)
    return Result(GROWTH.key, tuple(a / b for a, b in pairs), f"{1e3 * many:.3f} against {1e3 * one:.3f} ms per image and epoch")


def kept(row: Row, name: str, batch: int, examples: int, repeats: int) -> Result:
    """Measure trainings in processes that keep what they free, and in processes that give it back."""

    def rate(keep: bool) -> isolated.Outcome:
        return isolated.call(__name__, "median_rate", {"name": name, "batch": batch, "examples": examples, "keep": keep}, 1)

    pairs = [(rate(True), rate(False)) for _ in range(repeats)]
    (ours, theirs), (peak, lower) = (medians([(getattr(a, of), getattr(b, of)) for a, b in pairs]) for of in ("value", "peak"))
    detail = f"{ours:,.0f} against {theirs:,.0f} images/s, {peak:,.0f} against {lower:,.0f} MB at most"
    return Result(row.key, tuple(a.value / b.value for a, b in pairs), detail)


def median_rate(name: str, batch: int, examples: int, keep: bool) -> float:
    """Return images per second, the median of three trainings; in a process of its own."""
    with contextlib.nullcontext() if keep else mock.patch.object(device, "_keep_memory"):
        where = device.choose("cpu", 1)
    recipe = inputs.recipe(name, 1).model_copy(update={"batch": batch})
    data = Data(inputs.images(examples, 3, 32), recipe, where)
    return statistics.median(examples / train.train(data, np.arange(examples), recipe, SEEDS).seconds for _ in range(3))


def resident_batch(data: Data, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one augmented batch and its labels, in the memory layout that the loop feeds."""
    index = torch.arange(recipe.batch, device=data.device)
    change = augment.draw(recipe.augmentation, data.train.examples, np.random.default_rng(inputs.SEED), data.device)
    return data.train.augmented(index, change.at(index), recipe.augmentation), data.train_labels[index]


def fresh(data: Data, recipe: Recipe) -> tuple[nn.Module, Optimiser]:
    """Return an untrained model and its optimiser, as the training loop makes them."""
    model = models.build(recipe.model, data.train.channels, data.train.height, data.classes, recipe.width, inputs.SEED)
    model = model.to(data.device).train()
    return model, Optimiser(model, recipe.optimiser)


def bare_rate(data: Data, recipe: Recipe, batch: tuple[torch.Tensor, torch.Tensor], steps: int) -> float:
    """Return images per second of optimiser steps on one resident batch."""
    take = Step(*fresh(data, recipe), recipe)
    for _ in range(WARM_UP + 1 if data.device.type == "cuda" else 0):  # until it is recorded
        take(recipe.optimiser.lr, *batch)
    device.wait(data.device)

    def work() -> None:
        for _ in range(steps):
            take(recipe.optimiser.lr, *batch)
        device.wait(data.device)

    return steps * recipe.batch / clock(work)


GROUP = Group("training", "Training loop against bare steps", HOW, (*CPU_ROWS, GROWTH, *KEPT_ROWS, *GPU_ROWS), measure)
