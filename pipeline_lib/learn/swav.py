"""SwAV trained on the data set itself: features that never saw a label.

Caron et al. 2020, "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", with lightly's loss and
heads: two views of every image, each predicting the other's balanced (Sinkhorn) assignment to K prototypes; no queue.
A model that puts every image on all prototypes alike has a loss of ln K: that is the collapse we look for.
"""

import logging
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from pipeline_lib.config import Adam, Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import models
from pipeline_lib.learn.device import autocast
from pipeline_lib.learn.flops import per_image
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.views import view
from pipeline_lib.rng import derive_seed, generator

log = logging.getLogger("pipeline")
STUCK = 0.97  # a final loss above this share of ln K has learned nothing (digits after 60 epochs: 0.24; nothing learned: 1)
FEWEST_USED = 0.1  # share of the prototypes that must be some example's nearest
KNN_TEMPERATURE = 0.1  # weights of the neighbours' votes, as lightly's benchmarks
FEWEST_STEPS, SMALLEST_BATCH = 8, 16  # per epoch; a small data set gets smaller batches, or it would hardly train
FORWARD = 1024  # images per feature batch
VIEWS = 2  # of every image in a step


@dataclass(frozen=True)
class SwavFeatures:
    """What SwAV says of every training example, and how well it trained.

    Attributes:
        features: (N, D) float32, the backbone's output.
        prototypes: (N, K) float32, scores of the prototypes (nearly cosines: unit features times unit prototypes, plus a bias).
        loss: (epochs,) mean loss; ln K means nothing learned.
        knn_epochs, knn_accuracy: when the k-nearest-neighbour accuracy on the test split was logged, and its value.
        seconds: wall-clock time of training and of the features, without the logged accuracies.
        flops: floating-point operations of the same (a multiply-add counts two).
    """

    features: np.ndarray
    prototypes: np.ndarray
    loss: np.ndarray
    knn_epochs: np.ndarray
    knn_accuracy: np.ndarray
    seconds: float
    flops: float


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


def train_swav(dataset: Dataset, settings: Swav, study_seed: int, device: torch.device) -> SwavFeatures:
    """Train SwAV on the training images and return its view of each.

    Args:
        dataset: labels are used only for the logged accuracy.
        settings: model, views, epochs, prototypes.
        study_seed: determines everything random.
        device: where to compute.

    Raises:
        PipelineError: the training collapsed or diverged; no features are returned then.
    """
    from lightly.loss import SwaVLoss

    images = torch.from_numpy(dataset.train_images).to(device)
    if images.shape[2] != images.shape[3]:
        raise PipelineError(f"SwAV needs square images, these are {images.shape[2]} x {images.shape[3]}")
    network = _Network(settings, images.shape[1], images.shape[2], derive_seed(study_seed, "swav init"))
    flops = per_image(network, images.shape[1], images.shape[2])
    network = network.to(device, memory_format=torch.channels_last)
    optimiser = Optimiser(network, Adam(name="adam", weight_decay=settings.weight_decay))
    criterion = SwaVLoss()
    orders = generator(study_seed, "swav order")
    draws = torch.Generator().manual_seed(derive_seed(study_seed, "swav views"))
    batch = min(settings.batch, max(SMALLEST_BATCH, len(images) // FEWEST_STEPS))
    count = max(1, len(images) // batch)  # whole batches: Sinkhorn balances over the batch
    losses, knn_epochs, knn_accuracy, seconds = [], [], [], 0.0
    with tqdm(total=settings.epochs, desc="SwAV", unit="epoch", disable=None) as bar:
        for epoch in range(settings.epochs):
            network.train()
            begin = time.perf_counter()
            order = torch.from_numpy(orders.permutation(len(images)))
            total = torch.zeros((), device=device)
            for number, index in enumerate(order[: count * batch].tensor_split(count)):
                rate = settings.lr * 0.5 * (1 + math.cos(math.pi * (epoch + number / count) / settings.epochs))
                network.prototypes.normalize()
                total += _step(network, criterion, optimiser, rate, images[index.to(device)], settings, draws)
            losses.append(total.item() / count)
            seconds += time.perf_counter() - begin
            if not math.isfinite(losses[-1]):
                raise PipelineError(f"SwAV diverged: its loss is {losses[-1]} after epoch {epoch + 1}. Lower `lr` of its section")
            last = epoch + 1 == settings.epochs
            if (epoch + 1) % settings.log_every == 0 or last:
                knn_epochs.append(epoch + 1)
                knn_accuracy.append(knn(network, dataset, settings.knn, device))
                log.info(
                    "epoch %d: loss %.3f (ln K = %.3f), kNN accuracy %.4f",
                    epoch + 1,
                    losses[-1],
                    math.log(settings.prototypes),
                    knn_accuracy[-1],
                )
                bar.set_postfix(loss=f"{losses[-1]:.3f} of ln K {math.log(settings.prototypes):.3f}", knn=f"{knn_accuracy[-1]:.3f}")
            bar.update()
    begin = time.perf_counter()
    features, scores = _forward(network, dataset.train_images, device)
    seconds += time.perf_counter() - begin
    check_collapse(losses[-1], scores, settings)
    work = flops.training * VIEWS * count * batch * settings.epochs + flops.forward * len(images)
    curves = (np.array(losses), np.array(knn_epochs), np.array(knn_accuracy))
    return SwavFeatures(features, scores, *curves, seconds, float(work))


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


def knn(network: nn.Module, dataset: Dataset, neighbours: int, device: torch.device) -> float:
    """Return the share of test images whose label their nearest training images vote for, by cosine of the features.

    Only for the log: nothing in the training depends on it.
    """
    bank = nn.functional.normalize(torch.from_numpy(_forward(network, dataset.train_images, device)[0]).to(device))
    queries = nn.functional.normalize(torch.from_numpy(_forward(network, dataset.test_images, device)[0]).to(device))
    labels = torch.from_numpy(dataset.train_labels).to(device)
    right = 0
    for begin in range(0, len(queries), FORWARD):
        similarity, nearest = (queries[begin : begin + FORWARD] @ bank.T).topk(min(neighbours, len(bank)), dim=1)
        votes = torch.zeros(len(similarity), dataset.classes, device=device)
        votes.scatter_add_(1, labels[nearest], (similarity / KNN_TEMPERATURE).exp())
        truth = torch.from_numpy(dataset.test_labels[begin : begin + FORWARD]).to(device)
        right += int((votes.argmax(dim=1) == truth).sum())
    return right / len(queries)


def _step(network, criterion, optimiser, rate: float, images: torch.Tensor, settings: Swav, draws: torch.Generator) -> torch.Tensor:
    """One optimiser step on two views of a batch; returns the loss, left on the device."""
    pixels = images.float().div_(255)
    both = torch.cat([view(pixels, settings, draws), view(pixels, settings, draws)])
    with autocast(images.device, "auto"):
        scores = network(_centred(both))[1].float()
    loss = criterion(list(scores.chunk(2)), []).squeeze()
    loss.backward()
    optimiser.step(rate)
    return loss.detach()


@torch.inference_mode()
def _forward(network: nn.Module, images: np.ndarray, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, D) backbone features and (N, K) prototype scores of unchanged images, in evaluation mode."""
    network.eval()
    features, scores = [], []
    for begin in range(0, len(images), FORWARD):
        batch = torch.from_numpy(images[begin : begin + FORWARD]).to(device).float().div_(255)
        with autocast(device, "auto"):
            one, two = network(_centred(batch).contiguous(memory_format=torch.channels_last))
        features.append(one.float().cpu().numpy())
        scores.append(two.float().cpu().numpy())
    return np.concatenate(features), np.concatenate(scores)


def _centred(pixels: torch.Tensor) -> torch.Tensor:
    """0..1 -> -1..1."""
    return pixels.sub(0.5).mul_(2)
