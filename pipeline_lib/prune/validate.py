"""Follow a training on examples that were held out of it."""

import numpy as np
import torch
from torch import nn

from pipeline_lib import confusion
from pipeline_lib.config import Recipe
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.train import predict
from pipeline_lib.resume import State


class Validation:
    """Predict the held-out examples after every epoch; what is seen changes nothing in the training.

    Args:
        data: the data set on its device.
        recipe: for the precision.
        held_out: (M,) positions in the training set.
    """

    def __init__(self, data: Data, recipe: Recipe, held_out: np.ndarray):
        self._data, self._recipe, self._index = data, recipe, torch.from_numpy(held_out).to(data.device)
        self._labels = data.train_labels[self._index]
        self._losses: list[torch.Tensor] = []
        self._predicted = torch.zeros_like(self._labels)

    def after_epoch(self, epoch: int, model: nn.Module) -> None:
        """Keep the loss, left on the device, and what is predicted now; nothing before the first step."""
        if epoch < 0:
            return
        logits = predict(model, self._data.train, self._recipe, self._index)
        self._losses.append(nn.functional.cross_entropy(logits, self._labels))
        self._predicted = logits.argmax(dim=1)

    def state(self) -> dict[str, np.ndarray]:
        """Return the losses, for a checkpoint; the last epoch is never in one."""
        return {"loss": np.array(self._loss())}

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        self._losses = list(torch.as_tensor(state["loss"], dtype=torch.float32).to(self._data.device).unbind())

    def found(self) -> dict:
        """Return what the run keeps: accuracies after the last epoch, and the mean cross-entropy after every epoch."""
        found = confusion.count(self._labels.cpu().numpy(), self._predicted.cpu().numpy(), self._data.classes)
        return {
            "validation_accuracy": confusion.accuracy(found),
            "validation_balanced_accuracy": confusion.balanced_accuracy(found),
            "validation_class_accuracy": confusion.class_accuracy(found),
            "validation_loss": self._loss(),
        }

    def _loss(self) -> list[float]:
        return torch.stack(self._losses).tolist() if self._losses else []
