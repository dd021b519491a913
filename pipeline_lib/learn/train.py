"""The training loop: one model, one kept subset (or one per epoch), one seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from pipeline_lib import confusion
from pipeline_lib.config import Plateau, Recipe
from pipeline_lib.errors import Diverged, PipelineError
from pipeline_lib.learn import augment, losses, models
from pipeline_lib.learn.device import autocast, in_halves
from pipeline_lib.learn.feed import Data, Epoch, Seeds, fed
from pipeline_lib.learn.flops import per_image
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.schedule import Schedule
from pipeline_lib.learn.speed import Clock, Speed
from pipeline_lib.learn.step import Step
from pipeline_lib.resume import Checkpoint, State
from pipeline_lib.rng import derive_seed, generator

EVALUATION_PIXELS = {"cpu": 2**18, "cuda": 2**22}  # per clean batch (256 and 4,096 images of 32x32): cache, and GPU memory


@dataclass
class Trained:
    """What a training leaves behind.

    Attributes:
        model: the network in its final state.
        steps: optimiser steps taken.
        speed: images, floating-point operations, and where the time went; `after_epoch` counts as evaluation.
        forward_flops: floating-point operations of one clean image.
        seconds: wall-clock time of the loop, the validation split included, without `after_epoch`.
        train_loss: per epoch, mean over its batches before their steps.
        validation_loss, validation_accuracy: per epoch; NaN without a validation split.
    """

    model: nn.Module
    steps: int = 0
    speed: Speed = field(default_factory=Speed)
    forward_flops: float = 0.0
    seconds: float = 0.0
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)


def train(
    data: Data,
    kept: np.ndarray | list[np.ndarray],
    recipe: Recipe,
    seeds: Seeds,
    steps_of: int | None = None,
    after_epoch: Callable[[int, nn.Module], None] | None = None,
    checkpoint: Checkpoint | None = None,
    watch: Callable[[int, torch.Tensor, torch.Tensor], None] | None = None,
) -> Trained:
    """Train one model on a subset of the training set.

    Args:
        data: the data set on its device.
        kept: (M,) positions of the examples to train on, or a list with one such array for every epoch.
        recipe: model, optimiser, schedule, epochs, batch, augmentation, precision.
        seeds: determine everything random; on a CPU they determine the result to the last bit.
        steps_of: length of an epoch in examples: a smaller subset is repeated within an epoch, to as many steps as this many
            examples make; None: one pass per epoch.
        after_epoch: called with (epoch counted from 0, model), and with -1 before the first step; its time is not the loop's.
        checkpoint: where an interrupted training left its state, and this one leaves its own; on a CPU the result is the same
            to the last bit.
        watch: called before `after_epoch` with (epoch, positions (M,), logits (M, classes) float32): what the model answered
            to the augmented images of the epoch, each before the step that it took part in.

    Returns:
        The trained model and its record.

    Raises:
        PipelineError: fewer than two examples, or the loss is no longer a number.
    """
    planned, held_out = _plan(data, kept, recipe, seeds, steps_of)
    images = sum(epoch.images for epoch in planned)
    first = [0, *accumulate(epoch.steps for epoch in planned)]  # step of every epoch, and how many there are in all
    model = build(data, recipe, seeds)
    flops = per_image(model, data.train.channels, data.train.height)
    model = model.to(data.device)
    optimiser, schedule = Optimiser(model, recipe.optimiser), Schedule(recipe, first[-1])
    everything = _union([epoch.fitted for epoch in planned])
    take = Step(model, optimiser, recipe, losses.make(recipe, data.train_labels[everything], data.classes))
    missing = [float("nan")] * recipe.epochs
    result = Trained(model, first[-1], forward_flops=float(flops.forward))
    result.validation_loss, result.validation_accuracy = missing.copy(), missing.copy()
    held_out, clock = torch.from_numpy(held_out).to(data.device), Clock(data.device)
    done = _resume(checkpoint, result, optimiser, clock) if checkpoint else 0
    follow = clock.timed("after", after_epoch or (lambda epoch, model: None))
    if not done:
        follow(-1, model)
    for epoch in range(done):
        schedule.after_epoch(result.validation_loss[epoch])
    feed = clock.drawing("data", fed(data, recipe, seeds, planned, done))
    for epoch, (index, batches) in enumerate(feed, done):
        rates = (schedule.rate(step, epoch) for step in range(first[epoch], first[epoch + 1]))
        answers, feeding = [] if watch else None, clock.drawing("batches", batches)
        model.train()
        loss = clock.timed("steps", _one_epoch)(take, rates, feeding, answers)
        clock.add_up()
        result.train_loss.append(_finite(loss, epoch, recipe, seeds.run))
        if len(held_out):
            validate = clock.timed("validation", _validate)
            result.validation_loss[epoch], result.validation_accuracy[epoch] = validate(model, data, recipe, held_out)
        schedule.after_epoch(result.validation_loss[epoch])
        if watch:
            clock.timed("after", watch)(epoch, index, torch.cat(answers).float())
        follow(epoch, model)
        if checkpoint and epoch < recipe.epochs - 1:
            checkpoint.after(epoch + 1)
    result.seconds, result.speed = _account(clock, images, float(flops.training * images), checkpoint)
    return result


def _resume(checkpoint: Checkpoint, result: Trained, optimiser: Optimiser, clock: Clock) -> int:
    """Name what a training's state is made of, take over what is there, and return the number of epochs done."""
    lists = ("train_loss", "validation_loss", "validation_accuracy")

    def restore(state: State) -> None:
        for name in lists:
            setattr(result, name, state[name].tolist())

    checkpoint.add("curves", lambda: {name: np.array(getattr(result, name)) for name in lists}, restore)
    checkpoint.add("clock", clock.state, clock.restore)
    checkpoint.add("model", partial(models.state, result.model), partial(models.restore, result.model))
    checkpoint.add("optimiser", optimiser.state, optimiser.restore)
    return checkpoint.resume()


def _account(clock: Clock, images: int, flops: float, checkpoint: Checkpoint | None) -> tuple[float, Speed]:
    """Return the seconds of the loop and the whole account."""
    spent = clock.add_up()
    data, evaluation = spent["data"] + spent["batches"], spent["validation"] + spent["after"]
    speed = Speed(images, flops, data, spent["steps"] - spent["batches"], evaluation, checkpoint.seconds if checkpoint else 0.0)
    return spent["data"] + spent["steps"] + spent["validation"], speed


def build(data: Data, recipe: Recipe, seeds: Seeds) -> nn.Module:
    """Return the freshly initialised network of a training, on the CPU."""
    init = derive_seed(*seeds, "init")
    return models.build(recipe.model, data.train.channels, data.train.height, data.classes, recipe.width, init)


def _one_epoch(take: Step, rates: Iterator[float], feed: Iterator, answers: list | None) -> float:
    """Take a step on every batch and return the mean loss of the epoch; the device is waited for only at its end.

    The logits that the losses were computed of are appended to `answers`, if given.
    """
    batch_losses, sizes = [], []
    for rate, (images, labels) in zip(rates, feed, strict=True):
        loss, logits = take(rate, images, labels)
        batch_losses.append(loss)
        sizes.append(len(labels))
        if answers is not None:
            answers.append(logits)
    return np.average(torch.stack(batch_losses).tolist(), weights=sizes)


@torch.inference_mode()
def predict(
    model: nn.Module, images: augment.Images, recipe: Recipe, index: torch.Tensor | None = None, seen: list | None = None
) -> torch.Tensor:
    """Predict without augmentation, in evaluation mode.

    Args:
        model: any network of ours.
        images: on the model's device.
        recipe: for the precision.
        index: (M,) int64 positions to predict, or None for all N.
        seen: what hooks of the model append to for every batch.

    Returns:
        (M, classes) float32 logits in the order of the positions.

    Raises:
        PipelineError: a logit is not a number: the last steps of the training have diverged.
    """
    model.eval()
    size = max(1, EVALUATION_PIXELS[images.device.type] // (images.height * images.width))
    index = torch.arange(images.examples, device=images.device) if index is None else index
    seen = [] if seen is None else seen
    with autocast(images.device, recipe.precision):
        parts = [in_halves(lambda rows: model(images.clean(rows)), part, seen) for part in index.split(size)]
        logits = torch.cat(parts).float()
    if not torch.isfinite(logits).all():
        raise Diverged(f"training diverged: {recipe.model} puts out logits that are not finite. Lower the recipe's `optimiser.lr`")
    return logits


class Tested(NamedTuple):
    """What one pass over the test images tells.

    Attributes:
        accuracy: share of all test images.
        class_accuracy: share of those of each class; None for a class without test images.
        confusion: (C, C) counts, true classes in rows.
        drawn: the same of the imbalanced test set; None where the data set has none.
    """

    accuracy: float
    class_accuracy: list[float | None]
    confusion: np.ndarray
    drawn: np.ndarray | None


def test(model: nn.Module, data: Data, recipe: Recipe) -> Tested:
    """Predict the test images once, and count what was right."""
    predicted = predict(model, data.test, recipe).argmax(dim=1).cpu().numpy()
    labels, drawn = data.test_labels.cpu().numpy(), data.test_drawn
    found = confusion.count(labels, predicted, data.classes)
    of_drawn = None if drawn is None else confusion.count(labels[drawn], predicted[drawn], data.classes)
    return Tested(confusion.accuracy(found), confusion.class_accuracy(found), found, of_drawn)


def _validate(model: nn.Module, data: Data, recipe: Recipe, held_out: torch.Tensor) -> tuple[float, float]:
    return loss_and_accuracy(predict(model, data.train, recipe, held_out), data.train_labels[held_out])


def loss_and_accuracy(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return (mean cross-entropy, share of correct predictions) of (N, classes) logits."""
    accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return nn.functional.cross_entropy(logits, labels).item(), accuracy.item()


def _plan(
    data: Data, kept: np.ndarray | list[np.ndarray], recipe: Recipe, seeds: Seeds, steps_of: int | None
) -> tuple[list[Epoch], np.ndarray]:
    """Return (what every epoch is to be, positions of the validation split)."""
    by_epoch = kept if isinstance(kept, list) else [kept] * recipe.epochs
    by_epoch, held_out = _hold_out(by_epoch, recipe, seeds, data.train.examples)
    counts = [len(fitted) if steps_of is None else steps_of - _held_out_of(steps_of, recipe) for fitted in by_epoch]
    return [Epoch(fitted, count, -(-count // recipe.batch)) for fitted, count in zip(by_epoch, counts, strict=True)], held_out


def _hold_out(by_epoch: list[np.ndarray], recipe: Recipe, seeds: Seeds, examples: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Split what is kept into (fitted in each epoch, validation); only a plateau schedule looks at the second.

    The validation split is the front of the kept examples in an order of the whole data set that each seed has, so that the
    splits of two subsets share as many examples as possible. Where epochs differ it is a share of all that any of them keeps.
    """
    distinct = {id(kept): kept for kept in by_epoch}
    smallest = min(len(kept) for kept in distinct.values())
    everything = _union(by_epoch)
    order = generator(*seeds, "validation").permutation(examples)
    held_out = np.sort(order[np.isin(order, everything)][: _held_out_of(len(everything), recipe)])
    if len(held_out):
        distinct = {key: np.setdiff1d(kept, held_out) for key, kept in distinct.items()}
    fitted = [distinct[id(kept)] for kept in by_epoch]
    fewest = min(map(len, distinct.values()))
    if fewest < 2:
        raise PipelineError(f"{fewest} example(s) to train on of {smallest} kept; at least 2 are needed")
    return fitted, held_out


def _union(by_epoch: list[np.ndarray]) -> np.ndarray:
    """Return every example of any epoch once."""
    distinct = {id(kept): kept for kept in by_epoch}
    return np.unique(np.concatenate(list(distinct.values())))


def _held_out_of(examples: int, recipe: Recipe) -> int:
    return max(1, round(recipe.schedule.validation * examples)) if isinstance(recipe.schedule, Plateau) else 0


def _finite(loss: float, epoch: int, recipe: Recipe, run_seed: int) -> float:
    if np.isfinite(loss):
        return float(loss)
    raise Diverged(
        f"training diverged: the loss is {loss} after epoch {epoch + 1} (seed {run_seed}, {recipe.model}, "
        f"{recipe.optimiser.name} at lr {recipe.optimiser.lr}). Lower `optimiser.lr` of this recipe in config.yaml"
    )
