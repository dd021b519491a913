"""Read training dynamics: what `pipeline_lib.learn.record` wrote of every training example after every epoch.

Conventions: E seeds, T epochs, N examples, C classes. Logits come from a pass without augmentation in evaluation mode.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib import storage
from pipeline_lib.errors import PipelineError, one_of

log = logging.getLogger("pipeline")
REBUILD = "train_seed"
SIGN_AND_15_BITS = np.int32(-0x70002000)  # 0x8FFFE000: where the bits of a half are after the shift
ARRAYS = ("logits", "prediction", "initial", "grand", "prototype_distance", "training_logits", "test_logits")


class UnseenError(PipelineError):
    """The seeds that a metric was given say nothing of an example: more of them may."""


def check_epoch(value: int | str) -> None:
    """Check a metric's `epoch` parameter.

    Raises:
        ValueError: it is neither a whole number from 1 nor "last".
    """
    if value != "last" and not (type(value) is int and value >= 1):
        raise ValueError(f"{value!r} is not an epoch: a whole number from 1, or last")


def _check_until(value: int | None) -> None:
    if value is not None and not (type(value) is int and value >= 0):
        raise ValueError(f"{value!r} is not a number of epochs: a whole number from 0 (the untrained networks)")


def _check_seeds(value: int | None) -> None:
    if value is not None and not (type(value) is int and value >= 1):
        raise ValueError(f"{value!r} is not a number of seeds: a whole number from 1")


def _check_group(value: int) -> None:
    if not (type(value) is int and value >= 0):
        raise ValueError(f"{value!r} is not the place of a group of seeds: a whole number from 0")


# what every metric that reads dynamics takes besides its own parameters; no metric file knows of them
READS = {"until": None, "seeds": None, "group": 0}  # None: all epochs, all seeds
CHECKS = {"until": _check_until, "seeds": _check_seeds, "group": _check_group}


def single(half: np.ndarray) -> np.ndarray:
    """Return finite float16 numbers as float32, exactly, in half the time of `astype`, which takes them one by one.

    A half has 5 bits of exponent with bias 15, a single 8 with bias 127: shifted into place, it is too small by 2 to the 112.
    Other dtypes are converted as usual.
    """
    if half.dtype != np.float16:
        return half.astype(np.float32)
    bits = half.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= SIGN_AND_15_BITS
    numbers = bits.view(np.float32)
    numbers *= np.float32(2.0**112)
    return numbers


class Dynamics:
    """Read the dynamics of several seeds, one epoch at a time, never the whole.

    Args:
        seeds: per seed a mapping with "logits" (T, N, C), "prediction" (T, N), "initial" (N, C), "grand" (T + 1, N),
            "prototype_distance" (N,), "training_logits" (T, N, 2), "test_logits" (T, M, C), "grand_full" and "grand_full_epochs"
            (K, N) and (K,): an open file or plain arrays. All but the first two may be missing as long as nobody asks for them.
        labels: (N,) integer class of each example.
        until: as if the trainings had ended after so many epochs; 0: never begun; None: all that were recorded.

    Raises:
        ValueError: the seeds disagree in shape, or do not fit the labels.
    """

    def __init__(self, seeds: Sequence, labels: np.ndarray, until: int | None = None):
        shapes = {tuple(seed["logits"].shape) for seed in seeds}
        if len(shapes) != 1:
            raise ValueError(f"seeds of one ensemble must have one shape (epochs, examples, classes), not {sorted(shapes)}")
        recorded, self.examples, self.classes = shapes.pop()
        if until is not None and not 0 <= until <= recorded:
            raise PipelineError(f"{until} epochs were asked for, but the ensemble recorded 0 to {recorded}")
        self._recorded, self._trained = recorded, recorded if until is None else until
        self.epochs = max(1, self._trained)  # the untrained networks are an epoch of their own
        if len(labels) != self.examples:
            raise ValueError(f"{self.examples} examples recorded, {len(labels)} labels given")
        self._seeds = list(seeds)
        self.labels = np.asarray(labels)

    @property
    def seeds(self) -> range:
        """Positions of the seeds, 0..E-1."""
        return range(len(self._seeds))

    def subset(self, seeds: Sequence[int]) -> "Dynamics":
        """Return the dynamics of some of the seeds, given by position, as if the others had not been trained."""
        return Dynamics([self._seeds[seed] for seed in seeds], self.labels, self._trained)

    def until(self, epochs: int) -> "Dynamics":
        """Return the dynamics as if the trainings had ended after so many epochs; of 0, the untrained networks are one epoch.

        Raises:
            PipelineError: more epochs than were recorded.
        """
        return Dynamics(self._seeds, self.labels, epochs)

    def of_test_images(self, labels: np.ndarray) -> "Dynamics":
        """Return the logits of the test images, whose labels no network has seen, as dynamics; nothing else of them is recorded.

        Args:
            labels: (M,) integer class of each test image.

        Raises:
            ValueError: there are not as many test images.
        """
        return Dynamics([{"logits": seed["test_logits"]} for seed in self._seeds], labels, self._trained)

    def logits(self, seed: int, epoch: int) -> np.ndarray:
        """Return (N, C) float32 logits of one seed after one epoch (negative counts from the last)."""
        place = range(self.epochs)[epoch]
        return single(self._seeds[seed]["logits"][place] if self._trained else self._seeds[seed]["initial"][:])

    def probabilities(self, seed: int, epoch: int) -> np.ndarray:
        """Return (N, C) float32 softmax of the logits."""
        z = self.logits(seed, epoch)
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    def mean_probabilities(self, epochs: Iterable[int] | None = None) -> np.ndarray:
        """Return (N, C) float64 softmax, averaged over all seeds and the given epochs (None: all epochs)."""
        epochs = range(self.epochs) if epochs is None else list(epochs)
        total = np.zeros((self.examples, self.classes))
        for seed in self.seeds:
            for epoch in epochs:
                total += self.probabilities(seed, epoch)
        return total / (len(self.seeds) * len(epochs))

    def label_misses(self, seed: int) -> np.ndarray:
        """Return (T, N) float64, 1 - the label's probability after every epoch.

        It is made of the other classes' odds, so what is next to 0 keeps its digits: of a well-learned example, 1 less its
        probability in single precision would be 0.
        """
        rows, missed = np.arange(self.examples), np.empty((self.epochs, self.examples))
        for epoch in range(self.epochs):
            z = self.logits(seed, epoch)
            z -= z[rows, self.labels][:, None]
            with np.errstate(over="ignore", divide="ignore"):  # odds beyond all numbers, and none
                np.exp(z, out=z)
                z[rows, self.labels] = 0
                missed[epoch] = 1 / (1 + 1 / z.sum(axis=1).astype(np.float64))
        return missed

    def grand(self, seed: int, epochs: int) -> np.ndarray:
        """Return (N,) float32 norm of the last layer's gradient after so many epochs; 0: before the first step."""
        return np.asarray(self._seeds[seed]["grand"][range(self._trained + 1)[epochs] if self._trained else 0])

    def grand_full(self, seed: int, epochs: int) -> np.ndarray:
        """Return (N,) float32 norm of the gradient in all chosen layers after so many epochs; 0: before the first step.

        Raises:
            PipelineError: the ensemble did not record it then.
        """
        recorded = self._seeds[seed]["grand_full_epochs"][:].tolist() if "grand_full_epochs" in self._seeds[seed] else []
        wanted = min(epochs, self._trained)
        if wanted not in recorded:
            raise PipelineError(
                f"grand_full after {wanted} epochs was asked for, but the ensemble recorded it after {one_of(recorded) or 'none'}; "
                "add the number to `ensemble.grand_full.epochs`"
            )
        return np.asarray(self._seeds[seed]["grand_full"][recorded.index(wanted)])

    def prototype_distance(self, seed: int) -> np.ndarray:
        """Return (N,) float32 distance from the final features to the mean feature of the label's examples.

        Raises:
            PipelineError: the end of the training is not asked for; it was recorded nowhere else.
        """
        if self._trained != self._recorded:
            raise PipelineError(f"the distance to the class mean is recorded after the last epoch only, not after {self._trained}")
        return np.asarray(self._seeds[seed]["prototype_distance"][:])

    def training_logits(self, seed: int) -> np.ndarray:
        """Return (T, N, 2) float32 logits of the label and of the best other class, when the example was trained on.

        Of the augmented image, before the step that it took part in; NaN where it was held out for validation, or not drawn.

        Raises:
            PipelineError: the untrained networks are asked for, which no example has been trained on.
        """
        if not self._trained:
            raise PipelineError("logits in training are recorded from the first epoch on, not of the untrained networks")
        return np.asarray(self._seeds[seed]["training_logits"][: self._trained])

    def predictions(self, seed: int) -> np.ndarray:
        """Return (T, N) predicted classes, exact (taken before the logits were rounded; of untrained networks, after)."""
        if not self._trained:
            return self.logits(seed, 0).argmax(axis=1)[None]
        return np.asarray(self._seeds[seed]["prediction"][: self._trained])

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

    Seeds that were trained in different precisions are read, with a warning: they differ as two trainings of one seed do.

    Args:
        stack: closes the files.
        paths: one file per seed.
        parameters: of the metric; `until`, where given, chooses the epochs; `seeds` how many seeds, `group` (from 0) which so
            many: the first, the next, and from the beginning again when all had their turn.
        labels: (N,) labels of the data set.
        dataset: fingerprint of the data set.

    Raises:
        PipelineError: a file is damaged, was made for another data set, or differs in shape from the others.
    """
    files: list[h5py.File] = []
    for path in paths:
        file = stack.enter_context(storage.open_h5(path, REBUILD, ARRAYS))
        if file.attrs.get("dataset") != dataset:
            raise storage.refuse(path, "was recorded on another data set (its fingerprint differs)", REBUILD)
        shape = file["logits"].shape
        if len(shape) != 3 or shape[1] != len(labels):
            raise storage.refuse(path, f"has logits of shape {shape} for {len(labels)} examples", REBUILD)
        fitting = {"prediction": shape[:2], "initial": shape[1:], "grand": (shape[0] + 1, shape[1])}
        fitting |= {"prototype_distance": shape[1:2], "training_logits": (*shape[:2], 2)}
        fitting |= {"test_logits": (shape[0], *file["test_logits"].shape[1:2], shape[2])}
        if "grand_full" in file:
            fitting |= {"grand_full": (len(file["grand_full_epochs"]), shape[1])}
        for name, expected in fitting.items():
            if file[name].shape != expected:
                raise storage.refuse(path, f"has logits of shape {shape} and {name} of shape {file[name].shape}", REBUILD)
        if files and shape != files[0]["logits"].shape:
            raise storage.refuse(path, f"has logits of shape {shape}, the other seeds {files[0]['logits'].shape}", REBUILD)
        files.append(file)
    if len(precisions := sorted(filter(None, set(map(_precision, files))))) > 1:
        log.warning("the seeds were trained in %s: `precision` of the recipe can say one for all", " and ".join(precisions))
    return narrowed(Dynamics(files, labels), parameters)


def _precision(file: h5py.File) -> str | None:
    """Return in which precision a seed was trained, where its file says so."""
    return json.loads(file.attrs.get("recipe", "{}")).get("precision")


def narrowed(dynamics: Dynamics, parameters: dict) -> Dynamics:
    """Return the part of the dynamics that a metric's reading parameters choose.

    Raises:
        PipelineError: more epochs or seeds than were recorded.
    """
    until, seeds = parameters.get("until"), parameters.get("seeds")
    if until is not None:
        dynamics = dynamics.until(until)
    if seeds is not None:
        if seeds > len(dynamics.seeds):
            raise PipelineError(f"{seeds} seeds were asked for, but the ensemble has {len(dynamics.seeds)}")
        first = parameters.get("group", 0) * seeds
        dynamics = dynamics.subset([place % len(dynamics.seeds) for place in range(first, first + seeds)])
    return dynamics
