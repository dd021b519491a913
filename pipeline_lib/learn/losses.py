"""The loss of a training: cross-entropy, or one that makes up for unequal classes. Made once, called with every batch."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from pipeline_lib.config import Recipe

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (logits (B, C), labels (B,)) -> mean loss of the batch


def make(recipe: Recipe, labels: torch.Tensor, classes: int) -> Loss:
    """Return the loss that a recipe asks for.

    Args:
        recipe: `balance`, `tau`, `label_smoothing` (which a recipe with logit adjustment cannot have).
        labels: (M,) of the examples that are trained on, on their device; their classes' sizes decide.
        classes: C, of which some may have no example.
    """
    match recipe.balance:
        case "weighted_loss":
            return partial(_weighted, class_weights(labels, classes), recipe.label_smoothing)
        case "logit_adjustment":
            return partial(_adjusted, recipe.tau * log_prior(labels, classes))
    return plain(recipe)


def plain(recipe: Recipe) -> Loss:
    """Return cross-entropy, whatever the classes' sizes."""
    return partial(nn.functional.cross_entropy, label_smoothing=recipe.label_smoothing)


def class_weights(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return (C,) float32 weights: inverse to a class's size, of mean 1 over the examples; 0 for a class without any.

    Every class with examples then weighs the same in all, and the loss is as large as without weights: M / (K n_c) for n_c of
    M examples and K classes that have any, which is scikit-learn's "balanced".
    """
    counts = torch.bincount(labels, minlength=classes).double()
    present = counts > 0
    weights = torch.where(present, len(labels) / (present.sum() * counts.clamp(min=1)), 0)
    return weights.float()


def log_prior(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return (C,) float32, the log of each class's share of the examples; 0 for a class without any.

    The log of nothing would leave such a class out of the loss, and its logit as it was drawn; 0 keeps it there, where training
    pushes it down harder than any other.
    """
    shares = torch.bincount(labels, minlength=classes).double() / len(labels)
    return torch.where(shares > 0, shares, 1).log().float()


def _weighted(weights: torch.Tensor, smoothing: float, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Weigh each image's loss, and divide by the number of images.

    torch's own mean divides by the batch's weights, so what a class weighs would depend on the company it has in a batch; and its
    own weights count in the smoothing once more, by all classes', which pulls every image towards the rare ones.
    """
    each = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
    return (weights[labels] * each).mean()


def _adjusted(offsets: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Source: Menon et al. 2021, "Long-tail learning via logit adjustment", equation 10; predictions use the bare logits."""
    return nn.functional.cross_entropy(logits + offsets, labels)
