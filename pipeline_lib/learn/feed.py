"""The data set on the device, and the batches fed from it.

Everything random is drawn on the CPU from (study seed, purpose, run seed) for all examples of the data set and then
restricted to the kept ones: a subset sees its examples in the order of the whole data set, with those left out skipped, on every
device. Where an epoch repeats a subset this holds for the first pass, and not where a sampler draws by class.
"""

from collections.abc import Iterator
from functools import reduce
from typing import NamedTuple

import numpy as np
import torch

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import augment
from pipeline_lib.rng import generator


class Seeds(NamedTuple):
    """What everything random in a training derives from.

    Attributes:
        study: the study's seed.
        purpose: "training", "scoring", "scoring of" a data set whose images another one has too, ...; trainings of the same number
            and another purpose share nothing.
        run: number of the training; equal numbers start from equal weights and see examples in the same order.
    """

    study: int
    purpose: str
    run: int


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
        self.test_drawn = dataset.test_drawn


def _normalisation(images: np.ndarray, recipe: Recipe) -> tuple[list[float], list[float]]:
    """Return (mean, std) per channel for pixels scaled to 0..1."""
    channels = images.shape[1]
    if recipe.normalise == "none":
        return [0.0] * channels, [1.0] * channels
    if recipe.normalise == "dataset":
        counts = [torch.bincount(torch.from_numpy(images[:, c].ravel()), minlength=256).numpy() for c in range(channels)]
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


class Epoch(NamedTuple):
    """What one epoch of a training is to be.

    Attributes:
        fitted: (M,) positions of the examples to train on.
        images: how many images it has.
        steps: how many batches they make; they differ in size by at most one, so that no small last batch spoils the
            statistics of batch normalisation.
    """

    fitted: np.ndarray
    images: int
    steps: int


def fed(
    data: Data, recipe: Recipe, seeds: Seeds, planned: list[Epoch], done: int = 0
) -> Iterator[tuple[torch.Tensor, Iterator[tuple[torch.Tensor, torch.Tensor]]]]:
    """Yield the epochs of a training: (positions (images,) in the order of the batches, the batches).

    A batch is (images (B, C, H, W) float32, labels (B,)).

    Args:
        data: the data set on its device.
        recipe: batch, augmentation and whether a sampler balances the classes.
        seeds: determine orders and augmentation.
        planned: all epochs.
        done: how many of them to leave out; the others are what they would be after these.
    """
    feed = (BalancedFeed if recipe.balance == "sampler" else Feed)(data, recipe, seeds)
    for epoch in planned[:done]:
        feed.take(epoch.fitted, epoch.images)

    def hand_out(epoch: Epoch) -> tuple[torch.Tensor, Iterator]:
        index, change = feed.take(epoch.fitted, epoch.images)
        return index, _batches(data, index, change, recipe, epoch.steps)

    return map(hand_out, planned[done:])


def _batches(data: Data, index: torch.Tensor, change: augment.Draw, recipe: Recipe, count: int) -> Iterator:
    """Yield the examples at `index` (M,), each with its change, in `count` batches of equal size (or one less)."""
    parts = torch.tensor_split(index, count)
    at_once, done = data.train.chunk(recipe.batch), 0
    for first in range(0, count, at_once):
        sizes = [len(part) for part in parts[first : first + at_once]]
        group = slice(done, done + sum(sizes))
        done = group.stop
        images = data.train.augmented(index[group], change.at(group), recipe.augmentation)
        yield from zip(images.split(sizes), data.train_labels[index[group]].split(sizes), strict=True)


class Feed:
    """Draw one epoch after another.

    Args:
        data: the data set on its device.
        recipe: for the augmentation.
        seeds: determine orders and augmentation.
        label: of the examples that are drawn; None: those of all classes, as they come.
    """

    def __init__(self, data: Data, recipe: Recipe, seeds: Seeds, label: int | None = None):
        self._data, self._recipe = data, recipe
        of_class = () if label is None else (label,)
        self._among = np.arange(data.train.examples)
        if label is not None:
            self._among = np.flatnonzero(data.train_labels.cpu().numpy() == label)
        self._orders, self._changes = generator(*seeds, "order", *of_class), generator(*seeds, "augmentation", *of_class)
        self._left: tuple[torch.Tensor, augment.Draw] | None = None
        self._last_fitted: np.ndarray | None = None

    def take(self, fitted: np.ndarray, images: int) -> tuple[torch.Tensor, augment.Draw]:
        """Return (positions (images,), what happens to each) of an epoch; none comes twice before all have come once.

        An epoch of more images than there are examples passes over them again, in a new order and newly augmented; what
        is left of the last pass begins the next epoch, unless that is to see other examples.

        Args:
            fitted: (M,) positions of the examples to train on.
            images: how many images the epoch has.
        """
        carried = self._left if np.array_equal(fitted, self._last_fitted) else None
        index, change = carried or self._pass(fitted)
        while len(index) < images:
            more, its_change = self._pass(fitted)
            index, change = torch.cat([index, more]), change.then(its_change)
        self._left = (index[images:], change.at(slice(images, None))) if len(index) > images else None
        self._last_fitted = fitted
        return index[:images], change.at(slice(images))

    def _pass(self, fitted: np.ndarray) -> tuple[torch.Tensor, augment.Draw]:
        """Return the examples in a new order and what happens to each."""
        is_fitted = np.zeros(self._data.train.examples, dtype=bool)
        is_fitted[fitted] = True
        order = self._orders.permutation(len(self._among))
        order = order[is_fitted[self._among[order]]]
        change = augment.draw(self._recipe.augmentation, len(self._among), self._changes, self._data.device)
        index, drawn = (torch.from_numpy(each).to(self._data.device) for each in (self._among[order], order))
        return index, change.at(drawn)


class BalancedFeed:
    """Draw epochs to which every class that has examples contributes the same number of images.

    Each class is passed over on its own, in orders of its own: none of its examples comes twice before all have come once. What
    cannot be divided goes to classes drawn anew for every epoch. Arguments as for `Feed`.
    """

    def __init__(self, data: Data, recipe: Recipe, seeds: Seeds):
        self._device, self._labels = data.device, data.train_labels.cpu().numpy()
        self._classes = [Feed(data, recipe, seeds, label) for label in range(data.classes)]
        self._mixing = generator(*seeds, "mix of classes")

    def take(self, fitted: np.ndarray, images: int) -> tuple[torch.Tensor, augment.Draw]:
        """Return (positions (images,), what happens to each) of an epoch; arguments as for `Feed.take`."""
        labels = self._labels[fitted]
        present = np.unique(labels)
        quotas = np.full(len(present), images // len(present))
        quotas[self._mixing.permutation(len(present))[: images % len(present)]] += 1
        taken = [self._classes[c].take(fitted[labels == c], quota) for c, quota in zip(present, quotas, strict=True)]
        index, change = torch.cat([positions for positions, _ in taken]), reduce(augment.Draw.then, [drawn for _, drawn in taken])
        order = torch.from_numpy(self._mixing.permutation(images)).to(self._device)
        return index[order], change.at(order)
