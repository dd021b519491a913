"""Learning rates over a training: one number per optimiser step."""

import math

from pipeline_lib.config import Constant, Cosine, OneCycle, Plateau, Recipe, Steps

IMPROVEMENT = 1e-4  # relative; less does not count: torch's default, and so the thesis's


class Schedule:
    """Say the learning rate of every step; look at the validation loss after every epoch.

    Args:
        recipe: gives the base rate and the kind of schedule.
        total: steps of the whole training.
    """

    def __init__(self, recipe: Recipe, total: int):
        self._settings, self._base, self._total = recipe.schedule, recipe.optimiser.lr, total
        self._best, self._bad_epochs, self._plateau_factor = math.inf, 0, 1.0

    def rate(self, step: int, epoch: int) -> float:
        """Return the rate for a step (0-based) of an epoch (0-based)."""
        return self._base * self._factor(step, epoch)

    def after_epoch(self, validation_loss: float) -> None:
        """Lower the rate of a plateau schedule once the loss has not improved for more than `patience` epochs."""
        if not isinstance(self._settings, Plateau):
            return
        if validation_loss < self._best * (1 - IMPROVEMENT):
            self._best, self._bad_epochs = validation_loss, 0
            return
        self._bad_epochs += 1
        if self._bad_epochs > self._settings.patience:
            self._bad_epochs = 0
            lowest = self._settings.min_lr / self._base
            self._plateau_factor = max(self._plateau_factor * self._settings.factor, lowest)

    def _factor(self, step: int, epoch: int) -> float:
        match self._settings:
            case Constant():
                return 1.0
            case Steps(epochs=drops, factor=factor):
                return factor ** sum(epoch >= drop for drop in drops)
            case Plateau():
                return self._plateau_factor
            case OneCycle(warmup=warmup) | Cosine(warmup=warmup):
                rising = max(1, round(warmup * self._total))
                if step < rising:
                    return (step + 1) / rising
                left = (self._total - step) / max(1, self._total - rising)
                return left if isinstance(self._settings, OneCycle) else 0.5 * (1 - math.cos(math.pi * left))
