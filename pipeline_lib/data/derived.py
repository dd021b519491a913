"""Another data set with a change: fewer examples per class, unequal classes, or wrong labels.

No test image or test label changes: classes that are left out take theirs along, and a second test set is a part of the first.
"""

from dataclasses import replace

import numpy as np

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import imbalance as unequal
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator

TO_LARGEST = 0.8  # of the wrong labels with `flip_to: largest`; the others go to any other class (chosen)
GONE = -1  # number of a class that is left out


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note): the base with the configured changes, subset first.

    Args:
        settings: `name`, `base_file`, `per_class` (or None), `imbalance` (or None), `flip_labels` (or None), `flip_to`.
        seed: study seed.

    Raises:
        PipelineError: a class is not there or has fewer examples than asked for, or fewer labels are right than shall be moved.
    """
    base, _ = canonical.read(settings["base_file"])
    if settings["per_class"] is not None:
        base = _subset(base, settings["per_class"], generator(seed, "per class", settings["name"]), settings["name"])
    if settings["imbalance"] is not None:
        base = _unequal(base, settings["imbalance"], seed, settings["name"])
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
    return _only(base, np.sort(np.concatenate(kept)))


def _unequal(base: Dataset, imbalance: dict, seed: int, name: str) -> Dataset:
    """Draw so many examples of each class; the classes that stay are numbered anew, in their old order."""
    key, rng = f"datasets.{name}.imbalance", generator(seed, "imbalance", name)
    wanted = unequal.kept(imbalance, _sizes(base, base.train_labels), key)
    base = _only_classes(_only(base, _drawn(base, base.train_labels, wanted, rng)), list(wanted), key)
    tested = unequal.of_test_set(imbalance, wanted, _sizes(base, base.test_labels), key)
    drawn = None if tested is None else _drawn(base, base.test_labels, tested, generator(seed, "imbalance of the test set", name))
    return replace(base, test_drawn=drawn)


def _sizes(base: Dataset, labels: np.ndarray) -> dict[str, int]:
    return dict(zip(base.class_names, np.bincount(labels, minlength=base.classes).tolist(), strict=True))


def _drawn(base: Dataset, labels: np.ndarray, wanted: dict[str, int], rng: np.random.Generator) -> np.ndarray:
    """Return sorted positions: so many of each class that is named, the others not at all."""
    members = {name: np.flatnonzero(labels == label) for label, name in enumerate(base.class_names) if name in wanted}
    return np.sort(np.concatenate([rng.permutation(found)[: wanted[name]] for name, found in members.items()]))


def _only(base: Dataset, index: np.ndarray) -> Dataset:
    """Return the training examples at sorted positions."""
    return replace(
        base,
        train_images=base.train_images[index],
        train_labels=base.train_labels[index],
        source_id=[base.source_id[i] for i in index],
        true_labels=None if base.true_labels is None else base.true_labels[index],
    )


def _only_classes(base: Dataset, names: list[str], key: str) -> Dataset:
    """Return a data set with some of its classes, of which alone it has training examples."""
    numbers = np.array([names.index(name) if name in names else GONE for name in base.class_names])
    true_labels = None if base.true_labels is None else numbers[base.true_labels]
    if true_labels is not None and (true_labels == GONE).any():
        raise PipelineError(
            f"{key}: {np.sum(true_labels == GONE)} labels of the base are known to be wrong, and right would be a class that is "
            "left out. Let the base be a data set whose labels are right, or keep these classes"
        )
    tested = numbers[base.test_labels] != GONE
    return replace(
        base,
        train_labels=numbers[base.train_labels],
        true_labels=true_labels,
        test_images=base.test_images[tested],
        test_labels=numbers[base.test_labels[tested]],
        class_names=names,
        test_drawn=None,
        test_source_id=[base.test_source_id[i] for i in np.flatnonzero(tested)],
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
