"""Another data set with a change: fewer examples per class, or wrong labels. The test set never changes."""

from dataclasses import replace

import numpy as np

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note): the base with the configured changes, subset first.

    Args:
        settings: `name`, `base_file`, `per_class` (or None), `flip_labels` (or None).
        seed: study seed.

    Raises:
        PipelineError: a class has fewer examples than asked for, or fewer labels are right than shall be moved.
    """
    base, _ = canonical.read(settings["base_file"])
    if settings["per_class"] is not None:
        base = _subset(base, settings["per_class"], generator(seed, "per class", settings["name"]), settings["name"])
    if settings["flip_labels"] is not None:
        base = _flip(base, settings["flip_labels"], generator(seed, "flip labels", settings["name"]), settings["name"])
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


def _flip(base: Dataset, share: float, rng: np.random.Generator, name: str) -> Dataset:
    """Move exactly round(share * N) right labels, each to another class drawn uniformly; the order of examples stays."""
    labels = base.train_labels.copy()
    true_labels = base.train_labels if base.true_labels is None else base.true_labels
    right = np.flatnonzero(labels == true_labels)  # moving a label that is wrong already could make it right
    count = round(share * len(labels))
    if count > len(right):
        raise PipelineError(
            f"datasets.{name}.flip_labels: {count} labels are to be moved, but only {len(right)} of the base are right"
        )
    chosen = rng.permutation(right)[:count]
    labels[chosen] = (labels[chosen] + rng.integers(1, base.classes, count)) % base.classes
    return replace(base, train_labels=labels, true_labels=true_labels)
