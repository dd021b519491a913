"""Train one ensemble member and record the dynamics of every training example.

Reading is `pipeline_lib.dynamics`, apart from here, so that a change there does not train the ensemble again.
"""

import logging
import time
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from pipeline_lib.config import GrandFull, Recipe
from pipeline_lib.learn.device import wait
from pipeline_lib.learn.embed import distance_to_class_mean, embed, gradient_norm
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.full_gradient import chosen_layers, gradient_norms
from pipeline_lib.learn.train import Trained, loss_and_accuracy, predict, train
from pipeline_lib.resume import Checkpoint, State

log = logging.getLogger("pipeline")
BY_EPOCH = ("logits", "prediction", "training_logits", "test_logits")  # arrays with one row for every epoch
EPOCH_CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


@dataclass
class Recorded:
    """What one ensemble member leaves behind.

    Attributes:
        arrays: what metrics read, by name:
            logits (T, N, C) float16;
            prediction (T, N) int16, the exact argmax before rounding to half precision;
            initial (N, C) float16, the logits before the first step;
            grand (T + 1, N) float32, the norm of the last layer's gradient: row 0 before any step, row t after epoch t;
            prototype_distance (N,) float32, from the final features to their mean over the examples of the same label;
            training_logits (T, N, 2) float32, of the label and of the best other class, when the example was trained on: of the
            augmented image, before the step; the mean where an epoch showed it more than once. NaN for those that it did not show
            (held out for validation, or not drawn by a sampler).
            test_logits (T, M, C) float16, of the test images, whose labels no network has seen.
            grand_full (K, N) float32, the norm of the gradient in all chosen layers, and grand_full_epochs (K,) int64, after
            how many epochs: only where it was asked for.
        curves: name in EPOCH_CURVES -> (T,) float64; NaN where there is no such split.
        trained: the training's record.
        seconds: wall-clock time of all passes over the training examples that made the arrays, but for `grand_full`.
        full_seconds: that of `grand_full`, which no other metric needs.
    """

    arrays: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    trained: Trained
    seconds: float
    full_seconds: float = 0.0


def record(
    data: Data, recipe: Recipe, seeds: Seeds, checkpoint: Checkpoint | None = None, grand_full: GrandFull | None = None
) -> Recorded:
    """Train on all examples and keep what metrics need of each: before the first step and after every epoch.

    Args:
        data: the data set on its device.
        recipe: how to train; `recipe.epochs` is T.
        seeds: determine everything random.
        checkpoint: where an interrupted training left its state and its records.
        grand_full: after which epochs, and in which layers, the whole gradient's norm is kept; None: never.

    Raises:
        PipelineError: the training diverged, or the network has no such layers.
    """
    with tqdm(total=recipe.epochs, desc=f"seed {seeds.run}", unit="epoch", disable=None) as bar:
        recorder = _Recorder(data, recipe, bar, grand_full)
        if checkpoint:
            checkpoint.add("records", recorder.state, recorder.restore)
        everything = np.arange(data.train.examples)
        trained = train(
            data, everything, recipe, seeds, after_epoch=recorder.after_epoch, checkpoint=checkpoint, watch=recorder.watch
        )
    recorder.curves["validation_loss"][:] = trained.validation_loss
    recorder.curves["validation_accuracy"][:] = trained.validation_accuracy
    arrays = {
        "logits": recorder.logits.numpy(),
        "prediction": recorder.prediction.numpy(),
        "initial": recorder.initial.numpy(),
        "grand": recorder.grand.numpy(),
        "prototype_distance": recorder.distance.numpy(),
        "training_logits": recorder.training_logits.numpy(),
        "test_logits": recorder.test_logits.numpy(),
    }
    if grand_full:
        arrays |= {"grand_full": recorder.grand_full.numpy(), "grand_full_epochs": np.array(grand_full.epochs)}
    return Recorded(arrays, recorder.curves, trained, recorder.seconds, recorder.full_seconds)


class _Recorder:
    """Look at the model when `train` says so; clean images, evaluation mode, one forward pass for everything."""

    def __init__(self, data: Data, recipe: Recipe, bar: tqdm, grand_full: GrandFull | None):
        self._data, self._recipe, self._bar, self._full = data, recipe, bar, grand_full
        epochs, examples = recipe.epochs, data.train.examples
        pinned = {"pin_memory": data.device.type == "cuda"}  # a GPU writes there without being waited for
        self.logits = torch.empty((epochs, examples, data.classes), dtype=torch.float16, **pinned)
        self.prediction = torch.empty((epochs, examples), dtype=torch.int16, **pinned)  # 8 bits would overflow past 127 classes
        self.initial = torch.empty((examples, data.classes), dtype=torch.float16, **pinned)
        self.grand_full = torch.zeros((len(grand_full.epochs) if grand_full else 0, examples), dtype=torch.float32)
        self.grand = torch.empty((epochs + 1, examples), dtype=torch.float32, **pinned)
        self.distance = torch.empty(examples, dtype=torch.float32)
        self.training_logits = torch.full((epochs, examples, 2), float("nan"))
        self.test_logits = torch.empty((epochs, data.test.examples, data.classes), dtype=torch.float16, **pinned)
        self.curves = {name: np.full(epochs, np.nan) for name in EPOCH_CURVES}
        self.seconds, self.full_seconds = 0.0, 0.0
        self._done = 0

    def after_epoch(self, epoch: int, model: torch.nn.Module) -> None:
        """Record an epoch counted from 0; -1 is the untrained model, of which predictions are not kept."""
        if self._full and epoch < 0:
            chosen_layers(model, self._full.layers)  # a pattern that names none is refused before anything is trained
        wait(self._data.device)
        begin = time.perf_counter()
        clean, features = embed(model, self._data.train, self._recipe)
        self.grand[epoch + 1].copy_(gradient_norm(clean, features, self._data.train_labels), non_blocking=True)
        _keep(clean, self.initial if epoch < 0 else self.logits[epoch])
        if epoch >= 0:
            self.prediction[epoch].copy_(clean.argmax(dim=1).to(torch.int16), non_blocking=True)
        if epoch == self._recipe.epochs - 1:
            self.distance[:] = distance_to_class_mean(features, self._data.train_labels, self._data.classes)
        wait(self._data.device)
        self.seconds += time.perf_counter() - begin
        if self._full and epoch + 1 in self._full.epochs:
            begin = time.perf_counter()
            norms = gradient_norms(model, self._data.train, self._data.train_labels, self._full.layers, self._full.precision)
            self.grand_full[self._full.epochs.index(epoch + 1)] = norms.cpu()
            self.full_seconds += time.perf_counter() - begin
        self._done = epoch + 1
        if epoch >= 0:
            self._follow(epoch, model, clean)

    def watch(self, epoch: int, index: torch.Tensor, logits: torch.Tensor) -> None:
        """Keep two of the logits that the examples at `index` (M,) had when they were trained on: (M, classes)."""
        labels = self._data.train_labels[index][:, None]
        own = logits.gather(1, labels)
        others = logits.scatter(1, labels, float("-inf")).amax(dim=1, keepdim=True)
        pairs, index = torch.cat([own, others], dim=1).cpu(), index.cpu()
        times = torch.bincount(index, minlength=self._data.train.examples)[:, None]
        sums = torch.zeros(self._data.train.examples, 2).index_add_(0, index, pairs)
        self.training_logits[epoch] = torch.where(times > 0, sums / times, float("nan"))  # a sampler shows some more than once

    def state(self) -> dict[str, np.ndarray]:
        """Return everything recorded so far."""
        done = self._done
        arrays = {name: getattr(self, name)[:done].numpy() for name in BY_EPOCH}
        curves = {name: curve[:done] for name, curve in self.curves.items()}
        arrays |= {"initial": self.initial.numpy(), "grand_full": self.grand_full.numpy()}  # later rows are written again
        return {**arrays, "grand": self.grand[: done + 1].numpy(), **curves, "seconds": np.array([self.seconds, self.full_seconds])}

    def restore(self, state: State) -> None:
        """Take over what another recorder of the same training had recorded."""
        self._done = done = len(state["logits"])
        for name in (*BY_EPOCH, "initial", "grand", "grand_full"):
            getattr(self, name)[: len(state[name])] = torch.from_numpy(state[name])
        for name, curve in self.curves.items():
            curve[:done] = state[name]
        self.seconds, self.full_seconds = state["seconds"].tolist()
        self._bar.update(done)

    def _follow(self, epoch: int, model: torch.nn.Module, clean: torch.Tensor) -> None:
        """Add a point to the curves and say how far the training is."""
        test = predict(model, self._data.test, self._recipe)
        _keep(test, self.test_logits[epoch])  # a GPU has copied them when the accuracy below is known
        for split, logits, labels in (("train", clean, self._data.train_labels), ("test", test, self._data.test_labels)):
            self.curves[f"{split}_loss"][epoch], self.curves[f"{split}_accuracy"][epoch] = loss_and_accuracy(logits, labels)
        train_accuracy, test_accuracy = (self.curves[f"{split}_accuracy"][epoch] for split in ("train", "test"))
        log.info("epoch %d: accuracy %.4f train, %.4f test", epoch + 1, train_accuracy, test_accuracy)
        self._bar.set_postfix(train=f"{train_accuracy:.3f}", test=f"{test_accuracy:.3f}")
        self._bar.update()


def _keep(logits: torch.Tensor, place: torch.Tensor) -> None:
    """Copy logits to where they are kept in half precision, what is beyond it as its largest number."""
    largest = torch.finfo(torch.float16).max
    place.copy_(logits.clamp(-largest, largest).half(), non_blocking=True)
