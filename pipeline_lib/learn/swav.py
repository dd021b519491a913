"""SwAV trained on the data set itself: features that never saw a label.

Caron et al. 2020, "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", with lightly's loss and
heads: two views of every image, each predicting the other's balanced (Sinkhorn) assignment to K prototypes; no queue.
A model that puts every image on all prototypes alike has a loss of ln K: that is the collapse we look for.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from pipeline_lib.config import Adam, Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import models
from pipeline_lib.learn.device import autocast, in_halves
from pipeline_lib.learn.flops import per_image
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.replay import Replay
from pipeline_lib.learn.speed import Clock, Speed
from pipeline_lib.learn.views import draw, view
from pipeline_lib.resume import Checkpoint, State
from pipeline_lib.rng import derive_seed, generator

log = logging.getLogger("pipeline")
STUCK = 0.97  # a final loss above this share of ln K has learned nothing (digits after 60 epochs: 0.24; nothing learned: 1)
FEWEST_USED = 0.1  # share of the prototypes that must be some example's nearest
KNN_TEMPERATURE = 0.1  # weights of the neighbours' votes, as lightly's benchmarks
FEWEST_STEPS, SMALLEST_BATCH = 8, 16  # per epoch; a small data set gets smaller batches, or it would hardly train
FORWARD = 1024  # images per feature batch


@dataclass(frozen=True)
class SwavFeatures:
    """What SwAV says of every training example, and how well it trained.

    Attributes:
        features: (N, D) float32, the backbone's output.
        prototypes: (N, K) float32, scores of the prototypes (nearly cosines: unit features times unit prototypes, plus a bias).
        loss: (epochs,) mean loss; ln K means nothing learned.
        knn_epochs, knn_accuracy: when the k-nearest-neighbour accuracy on the test split was logged, and its value.
        speed: images, floating-point operations, and where the time went; features and logged accuracies count as evaluation.
        seconds: wall-clock time of the training, without the logged accuracies.
        feature_seconds: of the pass that made the features.
        feature_flops: floating-point operations of that pass.
    """

    features: np.ndarray
    prototypes: np.ndarray
    loss: np.ndarray
    knn_epochs: np.ndarray
    knn_accuracy: np.ndarray
    speed: Speed
    seconds: float
    feature_seconds: float
    feature_flops: float


class _Network(nn.Module):
    """Backbone, projection head, prototypes: (B, C, H, W) -> features (B, D), prototype scores (B, K)."""

    def __init__(self, settings: Swav, channels: int, size: int, seed: int):
        from lightly.models.modules import SwaVProjectionHead, SwaVPrototypes

        super().__init__()
        backbone = models.build(settings.model, channels, size, 2, settings.width, seed)
        self.backbone, dimension = models.features_of(backbone)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "heads"))
            self.head = SwaVProjectionHead(dimension, settings.hidden, settings.projection)
            self.prototypes = SwaVPrototypes(settings.projection, settings.prototypes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.backbone(images)
        return features, self.prototypes(nn.functional.normalize(self.head(features), dim=1))


def train_swav(
    dataset: Dataset, settings: Swav, study_seed: int, device: torch.device, checkpoint: Checkpoint | None = None
) -> SwavFeatures:
    """Train SwAV on the training images and return its view of each.

    Args:
        dataset: labels are used only for the logged accuracy.
        settings: model, views, epochs, prototypes, settled precision.
        study_seed: determines everything random.
        device: where to compute.
        checkpoint: where an interrupted training left its state, and this one leaves its own.

    Raises:
        PipelineError: the training collapsed or diverged; no features are returned then.
    """
    run = SwavTraining(dataset, settings, study_seed, device)
    done = 0
    if checkpoint:
        for name, part in (("run", run), ("optimiser", run.optimiser), ("clock", run.clock)):
            checkpoint.add(name, part.state, part.restore)
        checkpoint.add("network", partial(models.state, run.network), partial(models.restore, run.network))
        done = checkpoint.resume()
    with tqdm(total=settings.epochs, initial=done, desc="SwAV", unit="epoch", disable=None) as bar:
        for epoch in range(done, settings.epochs):
            run.train(epoch)
            if (epoch + 1) % settings.log_every == 0 or epoch + 1 == settings.epochs:
                bar.set_postfix(**run.clock.timed("look", run.look)(epoch))
            bar.update()
            if checkpoint and epoch + 1 < settings.epochs:
                checkpoint.after(epoch + 1)
    return run.result(checkpoint.seconds if checkpoint else 0.0)


class SwavTraining:
    """One training: the network, what drives it, and what is noted of it."""

    def __init__(self, dataset: Dataset, settings: Swav, study_seed: int, device: torch.device):
        from lightly.loss import SwaVLoss

        self._dataset, self._settings, self._device = dataset, settings, device
        self._images = torch.from_numpy(dataset.train_images).to(device)
        self._test_images = torch.from_numpy(dataset.test_images).to(device)
        examples, channels, height, width = self._images.shape
        if height != width:
            raise PipelineError(f"SwAV needs square images, these are {height} x {width}")
        network = _Network(settings, channels, height, derive_seed(study_seed, "swav init"))
        self._flops = per_image(network, channels, height)
        self.network = network.to(device, memory_format=torch.channels_last)
        self.optimiser = Optimiser(self.network, Adam(name="adam", weight_decay=settings.weight_decay))
        self._step = Replay(partial(_step, self.network, SwaVLoss(), self.optimiser, settings.precision), self.optimiser.drop)
        self._orders = generator(study_seed, "swav order")
        self._draws = torch.Generator().manual_seed(derive_seed(study_seed, "swav views"))
        self._batch = min(settings.batch, max(SMALLEST_BATCH, examples // FEWEST_STEPS), examples)
        self._count = examples // self._batch  # whole batches: Sinkhorn balances over the batch
        self._losses, self._knn_epochs, self._knn_accuracy, self.clock = [], [], [], Clock(device)

    def state(self) -> dict[str, np.ndarray]:
        """Return what is noted so far, and where the views' generator stands."""
        noted = {"losses": self._losses, "knn_epochs": self._knn_epochs, "knn_accuracy": self._knn_accuracy}
        return {name: np.array(values) for name, values in noted.items()} | {"draws": self._draws.get_state().numpy()}

    def restore(self, state: State) -> None:
        """Take over the state of another run of the same training."""
        self._losses = state["losses"].tolist()
        self._knn_epochs, self._knn_accuracy = state["knn_epochs"].astype(int).tolist(), state["knn_accuracy"].tolist()
        self._draws.set_state(torch.from_numpy(state["draws"]))
        for _ in self._losses:
            self._orders.permutation(len(self._images))

    def train(self, epoch: int) -> None:
        """Take a step on every batch of an epoch; the device is waited for at the end."""
        self.network.train()
        total = self.clock.timed("steps", self._steps)(epoch).item()
        self.clock.add_up()
        self._losses.append(total / self._count)
        if not math.isfinite(self._losses[-1]):
            raise PipelineError(f"SwAV diverged: its loss is {self._losses[-1]} after epoch {epoch + 1}. Lower `lr` of its section")

    def _steps(self, epoch: int) -> torch.Tensor:
        total, settings = torch.zeros((), device=self._device), self._settings
        for number, both in enumerate(self.clock.drawing("batches", self._batches())):
            done = (epoch + number / self._count) / settings.epochs
            self.network.prototypes.normalize()
            rate = self.optimiser.rate(settings.lr * 0.5 * (1 + math.cos(math.pi * done)))
            total += self._step(both, rate)[0]
        return total

    def _batches(self) -> Iterator[torch.Tensor]:
        """Yield the batches of an epoch: the first views of its images, then the second, (2B, C, H, W) float32."""
        seen, channels = self._count * self._batch, self._images.shape[1]
        order = torch.from_numpy(self._orders.permutation(len(self._images))[:seen]).to(self._device)
        views = (draw(seen, channels, self._settings, self._draws, self._device) for _ in range(Swav.VIEWS))
        for index, *pair in zip(order.split(self._batch), *(drawn.split(self._batch) for drawn in views), strict=True):
            pixels = self._images[index].float().div_(255)
            yield _centred(torch.cat([view(pixels, drawn) for drawn in pair]))

    def look(self, epoch: int) -> dict[str, str]:
        """Note the kNN accuracy and say it, with the loss, in the log."""
        precision = self._settings.precision
        self._knn_epochs.append(epoch + 1)
        bank, queries = (forward(self.network, images, precision)[0] for images in (self._images, self._test_images))
        labels = (torch.from_numpy(part).to(self._device) for part in (self._dataset.train_labels, self._dataset.test_labels))
        self._knn_accuracy.append(knn(bank, queries, *labels, self._settings.knn))
        loss, nothing_learned, accuracy = self._losses[-1], math.log(self._settings.prototypes), self._knn_accuracy[-1]
        log.info("epoch %d: loss %.3f (ln K = %.3f), kNN accuracy %.4f", epoch + 1, loss, nothing_learned, accuracy)
        return {"loss": f"{loss:.3f} of ln K {nothing_learned:.3f}", "knn": f"{accuracy:.3f}"}

    def result(self, io_seconds: float) -> SwavFeatures:
        """Return the features of all training images, unless the training collapsed."""
        seen = self.clock.timed("features", forward)(self.network, self._images, self._settings.precision)
        features, scores = (part.cpu().numpy() for part in seen)
        check_collapse(self._losses[-1], scores, self._settings)
        images, spent = self._count * self._batch * self._settings.epochs, self.clock.add_up()
        seconds = (spent["batches"], spent["steps"] - spent["batches"], spent["look"] + spent["features"], io_seconds)
        speed = Speed(images, float(self._flops.training * Swav.VIEWS * images), *seconds)
        curves = (np.array(self._losses), np.array(self._knn_epochs), np.array(self._knn_accuracy))
        work = float(self._flops.forward * len(self._images))
        return SwavFeatures(features, scores, *curves, speed, spent["steps"], spent["features"], work)


def check_collapse(loss: float, prototypes: np.ndarray, settings: Swav) -> None:
    """Refuse the features of a run that learned nothing.

    Args:
        loss: mean loss of the last epoch.
        prototypes: (N, K) prototype scores of the training examples.
        settings: for the number of prototypes.

    Raises:
        PipelineError: the loss is stuck at ln K, or nearly all examples are on a few prototypes.
    """
    cure = (
        "Try a lower `lr`, a larger `batch`, more `epochs`, or fewer `prototypes` in its `swav` section of config.yaml, or leave "
        "`km` out of the metrics"
    )
    nothing_learned = math.log(settings.prototypes)
    if loss > STUCK * nothing_learned:
        raise PipelineError(
            f"SwAV collapsed: its loss of {loss:.3f} is stuck at ln {settings.prototypes} = {nothing_learned:.3f}. {cure}"
        )
    used = len(np.unique(prototypes.argmax(axis=1)))
    if used < max(2, FEWEST_USED * settings.prototypes):
        raise PipelineError(f"SwAV collapsed: all examples are on {used} of {settings.prototypes} prototypes. {cure}")


def knn(bank: torch.Tensor, queries: torch.Tensor, labels: torch.Tensor, truth: torch.Tensor, neighbours: int) -> float:
    """Return the share of queries whose label their nearest neighbours vote for, by cosine of the features.

    Only for the log: nothing in the training depends on it.

    Args:
        bank, queries: (N, D) and (M, D) float32 features, on one device.
        labels, truth: (N,) and (M,) int64.
        neighbours: how many vote, each with weight exp(cosine / 0.1).
    """
    bank, queries = nn.functional.normalize(bank), nn.functional.normalize(queries)
    predicted, classes = [], range(int(labels.max()) + 1)
    for part in queries.split(FORWARD):
        similarity, nearest = (part @ bank.T).topk(min(neighbours, len(bank)), dim=1)
        weights, voters = (similarity / KNN_TEMPERATURE).exp(), labels[nearest]
        # one class at a time: adding up by index would sum in another order on every run on a GPU
        votes = [(weights * (voters == label)).sum(dim=1) for label in classes]
        predicted.append(torch.stack(votes, dim=1).argmax(dim=1))
    return (torch.cat(predicted) == truth).double().mean().item()


def _step(
    network: nn.Module, criterion: nn.Module, optimiser: Optimiser, precision: str, both: torch.Tensor, rate: float | torch.Tensor
) -> tuple[torch.Tensor]:
    """One optimiser step on two views of a batch, one after the other; returns the loss, left on the device."""
    with autocast(both.device, precision):
        scores = network(both)[1].float()
    loss = criterion(list(scores.chunk(Swav.VIEWS)), []).squeeze()
    loss.backward()
    optimiser.step(rate)
    return (loss.detach(),)


@torch.inference_mode()
def forward(network: nn.Module, images: torch.Tensor, precision: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the network says of unchanged images in evaluation mode, on their device.

    Args:
        network: a SwAV network.
        images: (N, C, H, W) uint8.
        precision: "float32" or "bfloat16".

    Returns:
        (N, D) float32 backbone features and (N, K) float32 prototype scores.
    """
    network.eval()
    features = []

    def look(part: torch.Tensor) -> torch.Tensor:
        batch = _centred(part.float().div_(255)).contiguous(memory_format=torch.channels_last)
        with autocast(images.device, precision):
            one, two = network(batch)
        features.append(one.float())
        return two.float()

    scores = [in_halves(look, part, features) for part in images.split(FORWARD)]
    return torch.cat(features), torch.cat(scores)


def _centred(pixels: torch.Tensor) -> torch.Tensor:
    """0..1 -> -1..1."""
    return pixels.sub(0.5).mul_(2)
