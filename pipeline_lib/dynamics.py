"""Read training dynamics: every training example's logits after every epoch, as `pipeline_lib.learn.record` wrote them.

Conventions: E seeds, T epochs, N examples, C classes. Logits come from a pass without augmentation in evaluation mode.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib import storage
from pipeline_lib.errors import PipelineError

REBUILD = "train_seed"


def check_epoch(value: int | str) -> None:
    """Check a metric's `epoch` parameter.

    Raises:
        ValueError: it is neither a whole number from 1 nor "last".
    """
    if value != "last" and not (type(value) is int and value >= 1):
        raise ValueError(f"{value!r} is not an epoch: a whole number from 1, or last")


class Dynamics:
    """Read the dynamics of several seeds, one epoch at a time, never the whole.

    Args:
        seeds: per seed a mapping with "logits" (T, N, C) and "prediction" (T, N): an open file or plain arrays.
        labels: (N,) integer class of each example.

    Raises:
        ValueError: the seeds disagree in shape, or do not fit the labels.
    """

    def __init__(self, seeds: Sequence, labels: np.ndarray):
        shapes = {tuple(seed["logits"].shape) for seed in seeds}
        if len(shapes) != 1:
            raise ValueError(f"seeds of one ensemble must have one shape (epochs, examples, classes), not {sorted(shapes)}")
        self.epochs, self.examples, self.classes = shapes.pop()
        if len(labels) != self.examples:
            raise ValueError(f"{self.examples} examples recorded, {len(labels)} labels given")
        self._seeds = list(seeds)
        self.labels = np.asarray(labels)

    @property
    def seeds(self) -> range:
        """Positions of the seeds, 0..E-1."""
        return range(len(self._seeds))

    def logits(self, seed: int, epoch: int) -> np.ndarray:
        """Return (N, C) float32 logits of one seed after one epoch (negative counts from the last)."""
        return self._seeds[seed]["logits"][epoch].astype(np.float32)

    def probabilities(self, seed: int, epoch: int) -> np.ndarray:
        """Return (N, C) float32 softmax of the logits."""
        z = self.logits(seed, epoch)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def predictions(self, seed: int) -> np.ndarray:
        """Return (T, N) predicted classes, exact (taken before the logits were rounded)."""
        return np.asarray(self._seeds[seed]["prediction"][:])

    def correct(self, seed: int) -> np.ndarray:
        """Return (T, N) whether the prediction was the label."""
        return self.predictions(seed) == self.labels

    def epoch_index(self, epoch: int | str) -> int:
        """Return the position of a 1-based epoch, or of "last".

        Raises:
            PipelineError: the ensemble was not trained that long.
        """
        if epoch == "last":
            return self.epochs - 1
        if not 1 <= epoch <= self.epochs:
            raise PipelineError(f"epoch {epoch} was asked for, but the ensemble recorded epochs 1 to {self.epochs}")
        return epoch - 1


def open_source(stack: ExitStack, paths: Sequence[str | Path], parameters: dict, labels: np.ndarray, dataset: str) -> Dynamics:
    """Open one file per seed and check that each belongs to this data set and is whole.

    Args:
        stack: closes the files.
        paths: one file per seed.
        parameters: of the metric; none chooses what is opened.
        labels: (N,) labels of the data set.
        dataset: fingerprint of the data set.

    Raises:
        PipelineError: a file is damaged, was made for another data set, or differs in shape from the others.
    """
    files: list[h5py.File] = []
    for path in paths:
        file = stack.enter_context(storage.open_h5(path, REBUILD, ("logits", "prediction")))
        if file.attrs.get("dataset") != dataset:
            raise storage.refuse(path, "was recorded on another data set (its fingerprint differs)", REBUILD)
        shape = file["logits"].shape
        if len(shape) != 3 or shape[1] != len(labels):
            raise storage.refuse(path, f"has logits of shape {shape} for {len(labels)} examples", REBUILD)
        predicted = file["prediction"].shape
        if predicted != shape[:2]:
            raise storage.refuse(path, f"has logits of shape {shape} and predictions of shape {predicted}", REBUILD)
        if files and shape != files[0]["logits"].shape:
            raise storage.refuse(path, f"has logits of shape {shape}, the other seeds {files[0]['logits'].shape}", REBUILD)
        files.append(file)
    return Dynamics(files, labels)
