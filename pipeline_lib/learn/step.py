"""One step of a training: forward pass, loss, backward pass, update."""

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
        self._model, self._optimiser, self._recipe = model, optimiser, recipe
        self._loss_of = loss_of or losses.plain(recipe)
        self._replay = Replay(self._take)

    def __call__(self, rate: float, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take one step at a learning rate; return the batch's mean loss and its logits (B, classes), left on the device."""
        return self._replay(images, labels, self._optimiser.rate(rate))

    def _take(self, images: torch.Tensor, labels: torch.Tensor, rate: float | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with autocast(images.device, self._recipe.precision):
            logits = self._model(images)
            loss = self._loss_of(logits, labels)
        loss.backward()
        self._optimiser.step(rate)
        return loss.detach(), logits.detach()
