"""Another data set with a change: fewer examples per class, or wrong labels. The test set never changes."""

from dataclasses import replace

import numpy as np

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator

TO_LARGEST = 0.8  # of the wrong labels with `flip_to: largest`; the others go to any other class (chosen)


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note): the base with the configured changes, subset first.

    Args:
        settings: `name`, `base_file`, `per_class` (or None), `flip_labels` (or None), `flip_to`.
        seed: study seed.

    Raises:
        PipelineError: a class has fewer examples than asked for, or fewer labels are right than shall be moved.
    """
    base, _ = canonical.read(settings["base_file"])
    if settings["per_class"] is not None:
        base = _subset(base, settings["per_class"], generator(seed, "per class", settings["name"]), settings["name"])
    if settings["flip_labels"] is not None:
        rng = generator(seed, "flip labels", settings["name"])
        base = _flip(base, settings["flip_labels"], settings["flip_to"], rng, settings["name"])
    return base, f"derived from {settings['base']}"


def _subset(base: Dataset, per_class: int, rng: np.random.Generator, name: str) -> Dataset:
    kept = []
    for label in range(base.classes):
        members = np.flatnonzero(base.train_labels == label)
        if len(members) < per_class:
            raise PipelineError(
                f"datasets.{name}.per_class: class {base.class_names[label]} has only {len(members)} training examples, "
                f"{per_class} were asked for"
            )
        kept.append(rng.permutation(members)[:per_class])
    index = np.sort(np.concatenate(kept))
    return replace(
        base,
        train_images=base.train_images[index],
        train_labels=base.train_labels[index],
        source_id=[base.source_id[i] for i in index],
        true_labels=None if base.true_labels is None else base.true_labels[index],
    )


def _flip(base: Dataset, share: float, to: str, rng: np.random.Generator, name: str) -> Dataset:
    """Move exactly round(share * N) right labels, `to` another class; the order of examples stays."""
    labels = base.train_labels.copy()
    true_labels = base.train_labels if base.true_labels is None else base.true_labels
    right = np.flatnonzero(labels == true_labels)  # moving a label that is wrong already could make it right
    count = round(share * len(labels))
    if count > len(right):
        raise PipelineError(
            f"datasets.{name}.flip_labels: {count} labels are to be moved, but only {len(right)} of the base are right"
        )
    if to == "largest":
        moved = _to_largest(labels, right, round(TO_LARGEST * count), rng, name)
        right, count = np.setdiff1d(right, moved), count - len(moved)
    chosen = rng.permutation(right)[:count]
    by = 1 if to == "next" else rng.integers(1, base.classes, count)
    labels[chosen] = (labels[chosen] + by) % base.classes
    return replace(base, train_labels=labels, true_labels=true_labels)


def _to_largest(labels: np.ndarray, right: np.ndarray, count: int, rng: np.random.Generator, name: str) -> np.ndarray:
    """Give `count` right labels of smaller classes that of the largest, in place; return their positions."""
    largest = np.bincount(labels).argmax()
    smaller = right[labels[right] != largest]
    if count > len(smaller):
        raise PipelineError(
            f"datasets.{name}.flip_labels: {count} labels of smaller classes are to become the largest's, but only {len(smaller)} "
            "are right. Lower the share, or let `flip_to` be other"
        )
    moved = rng.permutation(smaller)[:count]
    labels[moved] = largest
    return moved
