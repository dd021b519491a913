"""One step of a training: forward pass, loss, backward pass, update."""

from functools import partial

import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.learn import losses
from pipeline_lib.learn.device import autocast
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.replay import Replay


class Step:
    """Take optimiser steps on batches. The device is never waited for.

    Args:
        model: in training mode, on its device.
        optimiser: of its weights.
        recipe: for the precision.
        loss_of: None: cross-entropy.
    """

    def __init__(self, model: nn.Module, optimiser: Optimiser, recipe: Recipe, loss_of: losses.Loss | None = None):
        self._optimiser = optimiser
        # no method of this object: the two would keep each other, and a recorded step's memory, until Python looks for such pairs
        step = partial(launched, model, optimiser, recipe.precision, loss_of or losses.plain(recipe))
        self._replay = Replay(step, optimiser.drop)

    def __call__(self, rate: float, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step at a learning rate.

        Args:
            rate: for this step alone.
            images: (B, C, H, W) float32, channels last.
            labels: (B,) int64.

        Returns:
            The batch's mean loss () and the logits (B, classes) that it was computed of, left on the device.
        """
        return self._replay(images, labels, self._optimiser.rate(rate))


def launched(
    model: nn.Module,
    optimiser: Optimiser,
    precision: str,
    loss_of: losses.Loss,
    images: torch.Tensor,
    labels: torch.Tensor,
    rate: float | torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Take a step by launching all that belongs to it; as `Step`, but for the rate, which is as `Optimiser.rate` gives it."""
    with autocast(images.device, precision):
        logits = model(images)
        loss = loss_of(logits, labels)
    loss.backward()
    optimiser.step(rate)
    return loss.detach(), logits.detach()
