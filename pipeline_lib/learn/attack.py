"""Change images a little so that a network errs: FGSM and PGD, within a bound on every pixel or on the whole change.

Pixels run from 0 to 1 and stay there; the network sees them normalised. The gradient of the loss is taken in the pixels alone,
in evaluation mode: neither weights, nor their gradients, nor the statistics of batch normalisation change.

The cross-entropy is log(1 + exp(m)), m being by how much the logsumexp of the other logits exceeds that of the label: it grows
with m, and the two gradients point the same way. Here m is climbed. The cross-entropy's own gradient is lost when a network is sure
of itself: the probability of the label rounds to 1, its part of the gradient to 0, and what is left may point the other way.

Sources: Goodfellow, Shlens, Szegedy 2015 (FGSM); Madry, Makelov, Schmidt, Tsipras, Vladu 2018 (PGD).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from pipeline_lib.config import Attack, Recipe
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.device import autocast, in_halves
from pipeline_lib.learn.train import EVALUATION_PIXELS
from pipeline_lib.rng import generator

Network = Callable[[torch.Tensor], torch.Tensor]  # (B, C, H, W) pixels 0..1 -> (B, classes) logits
TINY = torch.finfo(torch.float32).tiny  # keeps 0 / 0 at 0
OF_ONE = (1, 2, 3)  # dimensions of one image in a batch


def network_of(model: nn.Module, images: Images, recipe: Recipe) -> Network:
    """Return a trained network as a function of pixels, in evaluation mode.

    Args:
        model: any network of ours, on the images' device.
        images: say how pixels are normalised.
        recipe: for the precision.
    """
    model.eval()

    def network(pixels: torch.Tensor) -> torch.Tensor:
        with autocast(images.device, recipe.precision):
            return model(images.normalised(pixels))

    return network


def attacked(
    model: nn.Module,
    images: Images,
    labels: torch.Tensor,
    recipe: Recipe,
    settings: Attack,
    epsilon: float,
    seeds: tuple[str | int, ...],
    index: torch.Tensor | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Attack images in batches and predict what has become of them.

    Args:
        model: any network of ours, on the images' device.
        images: the set they come from.
        labels: (N,) int64 true classes of the set, on the device.
        recipe: for the precision.
        settings: norm, steps, starts.
        epsilon: bound on the change, in pixels of 0..1.
        seeds: what random starts derive from. They are drawn on the CPU, image by image, and scaled by epsilon: whatever the
            device, the batches and epsilon, equal seeds begin in the same direction.
        index: (M,) int64 positions of the images to attack, or None for all N.

    Yields:
        Attacked pixels (B, C, H, W) float32 and their logits (B, classes) float32, in the order of the positions.
    """
    network, size = network_of(model, images, recipe), EVALUATION_PIXELS[images.device.type] // (images.height * images.width)
    index = torch.arange(images.examples, device=images.device) if index is None else index
    rngs = [generator(*seeds, restart) for restart in range(settings.restarts)] if settings.random_start else []
    for part in index.split(max(1, size)):
        shape = (len(part), images.channels, images.height, images.width)
        starts = [random_start(shape, settings.norm, rng).to(images.device) for rng in rngs]

        def compute(rows: torch.Tensor, part=part, starts=starts) -> torch.Tensor:
            chosen, begin = part[rows], [start[rows] for start in starts]
            return perturb(network, images.pixels(chosen), labels[chosen], settings, epsilon, begin)

        changed = in_halves(compute, torch.arange(len(part), device=images.device), [])
        with torch.no_grad():
            yield changed, network(changed).float()


def perturb(
    network: Network,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    settings: Attack,
    epsilon: float,
    starts: Sequence[torch.Tensor] = (),
) -> torch.Tensor:
    """Return images within epsilon of others and within 0..1, changed so that the loss of their labels grows.

    Args:
        network: pixels -> logits.
        pixels: (B, C, H, W) float32 in 0..1.
        labels: (B,) int64 true classes.
        settings: norm, number and length of the steps.
        epsilon: bound on the change, in pixels of 0..1: of every pixel (linf) or of the Euclidean length of all (l2).
        starts: (B, C, H, W) changes within a bound of 1, from each of which an attempt begins; of each image the attempt counts
            that leaves its label the smallest lead. Empty: one attempt, from the images themselves.
    """
    best = lead = None
    for start in starts or [torch.zeros_like(pixels)]:
        changed = _climb(network, pixels, labels, settings, epsilon, start)
        if len(starts) < 2:
            return changed
        with torch.no_grad():
            its_lead = _lead(network(changed), labels)
        if best is None:
            best, lead = changed, its_lead
        else:
            better = its_lead < lead
            best, lead = torch.where(better.view(-1, 1, 1, 1), changed, best), torch.where(better, its_lead, lead)
    return best


def _climb(network: Network, pixels, labels, settings: Attack, epsilon: float, start: torch.Tensor) -> torch.Tensor:
    changed = (pixels + epsilon * start).clamp(0, 1)
    for _ in range(settings.steps):
        changed = changed.detach().requires_grad_()
        [gradient] = torch.autograd.grad(_odds_against(network(changed).float(), labels).sum(), changed)
        change = changed.detach() - pixels + settings.step * epsilon * _steepest(gradient, settings.norm)
        changed = (pixels + _within(change, settings.norm, epsilon)).clamp(0, 1)
    return changed.detach()


def _steepest(gradient: torch.Tensor, norm: str) -> torch.Tensor:
    """Return the change of norm 1 along which the loss grows most; 0 where the gradient is 0."""
    if norm == "linf":
        return gradient.sign()
    return gradient / _length(gradient).clamp_min(TINY)


def _within(change: torch.Tensor, norm: str, epsilon: float) -> torch.Tensor:
    """Return the nearest change within epsilon."""
    if norm == "linf":
        return change.clamp(-epsilon, epsilon)
    return change * (epsilon / _length(change).clamp_min(TINY)).clamp_max(1)


def _length(change: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(change, dim=OF_ONE, keepdim=True)


def _odds_against(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (B,) the logarithm of the odds that it is not the label."""
    own, others = _split(logits, labels)
    return others.logsumexp(dim=1) - own


def _lead(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (B,) by how much the logit of the label exceeds the largest other; below 0 the network errs."""
    own, others = _split(logits, labels)
    return own - others.amax(dim=1)


def _split(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ((B,) logits of the labels, (B, classes) those of the others, the label's own at minus infinity)."""
    own = labels.view(-1, 1)
    return logits.gather(1, own).squeeze(1), logits.scatter(1, own, float("-inf"))


def random_start(shape: tuple[int, ...], norm: str, rng: np.random.Generator) -> torch.Tensor:
    """Draw changes within a bound of 1, on the CPU.

    Args:
        shape: (B, C, H, W).
        norm: linf: every pixel uniform from -1 to 1; l2: uniform in direction, and in length from 0 to 1.
        rng: draws images one after the other, so that it does not matter how they are batched.

    Returns:
        float32 of this shape.
    """
    if norm == "linf":
        return torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32))
    drawn = [(rng.standard_normal(shape[1:]), rng.uniform()) for _ in range(shape[0])]
    changes = [direction * (radius / np.linalg.norm(direction)) for direction, radius in drawn]
    return torch.from_numpy(np.stack(changes).astype(np.float32))
