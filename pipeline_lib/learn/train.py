"""The training loop: one model, one kept subset, one seed.

Everything random is drawn on the CPU from (study seed, purpose, run seed) for all examples of the data set and then
restricted to the kept ones: a subset sees a subset of the same sequence, on every device.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from pipeline_lib.config import Plateau, Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import augment, models
from pipeline_lib.learn.device import autocast, wait
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.schedule import Schedule
from pipeline_lib.rng import derive_seed, generator

EVALUATION_PIXELS = {"cpu": 2**18, "cuda": 2**22}  # per clean batch (256 and 4,096 images of 32x32): cache, and GPU memory


class Data:
    """A data set on the device, shared by all trainings of a job.

    Args:
        dataset: the canonical data set.
        recipe: says how pixels are normalised.
        device: where everything lives.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, device: torch.device):
        mean, std = _normalisation(dataset.train_images, recipe)
        self.classes, self.device = dataset.classes, device
        (height, size), padding = dataset.train_images.shape[2:], recipe.augmentation.crop_padding
        if height != size:
            raise PipelineError(f"images must be square to be trained on, not {height} x {size}. Crop or resize them")
        if padding >= size:
            raise PipelineError(
                f"the recipe's `augmentation.crop_padding` of {padding} must be less than the images' {size} pixels"
            )
        self.train = augment.Images(dataset.train_images, mean, std, device)
        self.test = augment.Images(dataset.test_images, mean, std, device)
        self.train_labels = torch.from_numpy(dataset.train_labels).to(device)
        self.test_labels = torch.from_numpy(dataset.test_labels).to(device)


def _normalisation(images: np.ndarray, recipe: Recipe) -> tuple[list[float], list[float]]:
    """Return (mean, std) per channel for pixels scaled to 0..1."""
    channels = images.shape[1]
    if recipe.normalise == "none":
        return [0.0] * channels, [1.0] * channels
    if recipe.normalise == "dataset":
        counts = [np.bincount(images[:, c].ravel(), minlength=256) for c in range(channels)]
        levels = np.arange(256) / 255
        mean = [float(np.average(levels, weights=n)) for n in counts]
        std = [float(np.sqrt(np.average((levels - m) ** 2, weights=n))) or 1.0 for n, m in zip(counts, mean, strict=True)]
        return mean, std
    if len(recipe.normalise.mean) != channels or len(recipe.normalise.std) != channels:
        raise PipelineError(
            f"the recipe's `normalise` has {len(recipe.normalise.mean)} means and {len(recipe.normalise.std)} deviations, "
            f"the images have {channels} channel(s)"
        )
    return recipe.normalise.mean, recipe.normalise.std


@dataclass
class Trained:
    """What a training leaves behind.

    Attributes:
        model: the network in its final state.
        steps: optimiser steps taken.
        images: training images seen, repetitions counted.
        seconds: wall-clock time of the loop, without `after_epoch`.
        train_loss, validation_loss, validation_accuracy: per epoch; NaN without a validation split.
    """

    model: nn.Module
    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)


def train(
    data: Data,
    kept: np.ndarray,
    recipe: Recipe,
    study_seed: int,
    run_seed: int,
    after_epoch: Callable[[int, nn.Module], None] | None = None,
) -> Trained:
    """Train one model on a subset of the training set.

    Args:
        data: the data set on its device.
        kept: (M,) positions of the examples to train on.
        recipe: model, optimiser, schedule, epochs, batch, augmentation, precision.
        study_seed, run_seed: determine everything random; on a CPU they determine the result to the last bit.
        after_epoch: called with (epoch counted from 0, model in training mode); its time is not the loop's.

    Returns:
        The trained model and its record.

    Raises:
        PipelineError: fewer than two examples, or the loss is no longer a number.
    """
    fitted, validation = _hold_out(kept, recipe, study_seed, run_seed)
    if len(fitted) < 2:
        raise PipelineError(f"{len(fitted)} example(s) to train on; at least 2 are needed")
    init = derive_seed(study_seed, "init", run_seed)
    model = models.build(recipe.model, data.train.channels, data.train.height, data.classes, recipe.width, init).to(data.device)
    optimiser = Optimiser(model, recipe.optimiser)
    steps_per_epoch = -(-len(fitted) // recipe.batch)
    schedule = Schedule(recipe, steps_per_epoch * recipe.epochs)
    is_fitted = np.zeros(data.train.examples, dtype=bool)
    is_fitted[fitted] = True
    orders, changes = generator(study_seed, "order", run_seed), generator(study_seed, "augmentation", run_seed)
    missing = [float("nan")] * recipe.epochs
    result = Trained(model, validation_loss=missing.copy(), validation_accuracy=missing.copy())
    held_out = torch.from_numpy(validation).to(data.device)
    for epoch in range(recipe.epochs):
        wait(data.device)
        begin = time.perf_counter()
        order = orders.permutation(data.train.examples)
        order = torch.from_numpy(order[is_fitted[order]]).to(data.device)
        change = augment.draw(recipe.augmentation, data.train.examples, changes, data.device)
        rates = (schedule.rate(result.steps + number, epoch) for number in range(steps_per_epoch))
        loss = _one_epoch(model, optimiser, rates, batches(data, order, change, recipe, steps_per_epoch), recipe)
        result.train_loss.append(_finite(loss, epoch, recipe, run_seed))
        result.steps += steps_per_epoch
        result.images += len(fitted)
        if len(validation):
            logits = predict(model, data.train, recipe, held_out)
            result.validation_loss[epoch], result.validation_accuracy[epoch] = loss_and_accuracy(
                logits, data.train_labels[held_out]
            )
            schedule.after_epoch(result.validation_loss[epoch])
        result.seconds += time.perf_counter() - begin
        if after_epoch:
            after_epoch(epoch, model)
    return result


def _one_epoch(model: nn.Module, optimiser: Optimiser, rates: Iterator[float], feed: Iterator, recipe: Recipe) -> float:
    """Take a step on every batch and return the mean loss of the epoch; the device is waited for only at its end."""
    model.train()
    losses, sizes = [], []
    for rate, (images, labels) in zip(rates, feed, strict=True):
        losses.append(step(model, optimiser, rate, images, labels, recipe))
        sizes.append(len(labels))
    return np.average(torch.stack(losses).tolist(), weights=sizes)


def batches(data: Data, order: torch.Tensor, change: augment.Draw, recipe: Recipe, count: int) -> Iterator:
    """Yield (images (B, C, H, W) float32, labels (B,)) for one epoch.

    Batches differ in size by at most one: no small last batch spoils the statistics of batch normalisation.
    """
    parts = torch.tensor_split(order, count)
    at_once = data.train.chunk(recipe.batch)
    for first in range(0, count, at_once):
        group = parts[first : first + at_once]
        index = torch.cat(group)
        images = data.train.augmented(index, change, recipe.augmentation)
        labels = data.train_labels[index]
        sizes = [len(part) for part in group]
        yield from zip(images.split(sizes), labels.split(sizes), strict=True)


def step(model: nn.Module, optimiser: Optimiser, rate: float, images, labels, recipe: Recipe) -> torch.Tensor:
    """Take one optimiser step at the given learning rate and return the batch's mean loss, left on the device."""
    with autocast(images.device, recipe.precision):
        loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)
    loss.backward()
    optimiser.step(rate)
    return loss.detach()


@torch.inference_mode()
def predict(model: nn.Module, images: augment.Images, recipe: Recipe, index: torch.Tensor | None = None) -> torch.Tensor:
    """Predict without augmentation, in evaluation mode.

    Args:
        model: any network of ours.
        images: on the model's device.
        recipe: for the precision.
        index: (M,) int64 positions to predict, or None for all N.

    Returns:
        (M, classes) float32 logits in the order of the positions.

    Raises:
        PipelineError: a logit is not a number: the last steps of the training have diverged.
    """
    model.eval()
    size = max(1, EVALUATION_PIXELS[images.device.type] // (images.height * images.width))
    index = torch.arange(images.examples, device=images.device) if index is None else index
    with autocast(images.device, recipe.precision):
        logits = torch.cat([model(images.clean(part)) for part in index.split(size)]).float()
    if not torch.isfinite(logits).all():
        raise PipelineError(
            f"training diverged: {recipe.model} puts out logits that are not finite. Lower the recipe's `optimiser.lr`"
        )
    return logits


def test(model: nn.Module, data: Data, recipe: Recipe) -> tuple[float, list[float | None]]:
    """Return (test accuracy, test accuracy of each class; None for a class without test images), as shares."""
    right = predict(model, data.test, recipe).argmax(dim=1) == data.test_labels
    by_class = [right[data.test_labels == label] for label in range(data.classes)]
    return right.double().mean().item(), [part.double().mean().item() if len(part) else None for part in by_class]


def loss_and_accuracy(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Return (mean cross-entropy, share of correct predictions) of (N, classes) logits."""
    accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return nn.functional.cross_entropy(logits, labels).item(), accuracy.item()


def _hold_out(kept: np.ndarray, recipe: Recipe, study_seed: int, run_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the kept examples into (fitted, validation); only a plateau schedule looks at the second."""
    if not isinstance(recipe.schedule, Plateau):
        return kept, kept[:0]
    shuffled = generator(study_seed, "validation", run_seed).permutation(np.sort(kept))
    count = max(1, round(recipe.schedule.validation * len(kept)))
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])


def _finite(loss: float, epoch: int, recipe: Recipe, run_seed: int) -> float:
    if np.isfinite(loss):
        return float(loss)
    raise PipelineError(
        f"training diverged: the loss is {loss} after epoch {epoch + 1} (seed {run_seed}, {recipe.model}, "
        f"{recipe.optimiser.name} at lr {recipe.optimiser.lr}). Lower `optimiser.lr` of this recipe in config.yaml"
    )
