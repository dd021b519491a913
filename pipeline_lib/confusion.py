"""Confusion matrices: (C, C) counts of test images, true classes in rows, predicted ones in columns; and what follows from them."""

import numpy as np


def count(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion matrix (C, C) int64 of (N,) true and predicted classes."""
    return np.bincount(np.asarray(true) * classes + np.asarray(predicted), minlength=classes**2).reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> float:
    """Return the share of all images that are predicted right."""
    return float(np.trace(confusion) / np.sum(confusion))


def class_accuracy(confusion: np.ndarray) -> list[float | None]:
    """Return the share predicted right of each class; None for a class without test images."""
    right, images = np.diag(confusion), np.sum(confusion, axis=1)
    return [float(r / n) if n else None for r, n in zip(right, images, strict=True)]


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Return the mean of `class_accuracy` over the classes that have test images."""
    return float(np.mean([share for share in class_accuracy(confusion) if share is not None]))


def to_text(confusion: np.ndarray) -> str:
    """Return a matrix in one cell of a table: "5 0;1 4"."""
    return ";".join(" ".join(map(str, row)) for row in np.asarray(confusion).tolist())


def from_text(text: str) -> np.ndarray:
    """Return the matrix (C, C) int64 that `to_text` has written."""
    return np.array([row.split(" ") for row in text.split(";")], dtype=np.int64)
