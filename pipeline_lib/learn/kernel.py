"""The tangent kernel of a network on a few examples, and how fast it turns during a training.

The Gram matrix of the logits' gradients in all weights, K = J J^T with one row of J for every example and class, says how a
step on one example moves the logits of another. Between two points of a training its distance and velocity are

    S = 1 - <K, K'> / (||K|| ||K'||)        (Frobenius; 0: the same up to a factor, 1: nothing in common)
    v(t) = S(t, t + 1 epoch)                (per epoch)

Where v is small, training moves the logits as if the network were linear in its weights; where it is large, the network is
still learning features.

Sources: Fort et al. 2020, "Deep learning versus kernel learning"; on groups of neighbours in the order of difficulty: Paul,
Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet", section 4. As theirs, the matrix is the whole one of examples times
classes, not its trace over classes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap

from pipeline_lib.config import Recipe
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.device import wait
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.train import Trained, train
from pipeline_lib.resume import Checkpoint, State

# of the gradients of one part of the examples; two parts are held at once (chosen: 20 parts of 100 CIFAR images and a
# ResNet-18 on a GPU)
GRADIENT_BYTES = {"cpu": 2**28, "cuda": 2**32}


@dataclass
class Turned:
    """What one training leaves behind.

    Attributes:
        velocity: (T, G) float64, 0..1 per epoch, of each group over the epoch after each of T epochs.
        trained: the training's record.
        seconds: wall-clock time of the kernels.
    """

    velocity: np.ndarray
    trained: Trained
    seconds: float


def turn(
    data: Data, recipe: Recipe, seeds: Seeds, epochs: list[int], groups: list[np.ndarray], checkpoint: Checkpoint | None = None
) -> Turned:
    """Train on all examples and measure the velocity of the kernel of each group.

    Args:
        data: the data set on its device.
        recipe: how to train.
        seeds: determine everything random.
        epochs: T of them, 0 (untrained) to `recipe.epochs` - 1: the velocity is measured over the epoch that follows.
        groups: G times positions of training examples, (M,) each.
        checkpoint: where an interrupted training left its state and its kernels.

    Raises:
        PipelineError: the training diverged.
    """
    watcher = _Watcher(data, epochs, groups)
    if checkpoint:
        checkpoint.add("kernels", watcher.state, watcher.restore)
    everything = np.arange(data.train.examples)
    trained = train(data, everything, recipe, seeds, after_epoch=watcher.after_epoch, checkpoint=checkpoint)
    return Turned(watcher.velocity, trained, watcher.seconds)


class _Watcher:
    """Compute the kernels when `train` says so, and keep those that the next ones are compared with."""

    def __init__(self, data: Data, epochs: list[int], groups: list[np.ndarray]):
        self._images, self._epochs = data.train, epochs
        self._groups = [torch.from_numpy(group).to(data.device) for group in groups]
        self._before: list[torch.Tensor] = []
        self.velocity, self.seconds = np.full((len(epochs), len(groups)), np.nan), 0.0

    def after_epoch(self, epoch: int, model: nn.Module) -> None:
        """Look at the model after an epoch counted from 0; -1 is the untrained one."""
        done = epoch + 1
        if done not in self._epochs and epoch not in self._epochs:
            return
        wait(self._images.device)
        begin = time.perf_counter()
        kernels = [gram(model, self._images, group) for group in self._groups]
        if epoch in self._epochs:
            pairs = zip(self._before, kernels, strict=True)
            self.velocity[self._epochs.index(epoch)] = [distance(before, after) for before, after in pairs]
        self._before = kernels if done in self._epochs else []
        self.seconds += time.perf_counter() - begin

    def state(self) -> dict[str, np.ndarray]:
        """Return the velocities so far, and the kernels that the next ones are compared with."""
        kernels = {f"kernel{number}": kernel.cpu().numpy() for number, kernel in enumerate(self._before)}
        return {"velocity": self.velocity, "seconds": np.array(self.seconds), **kernels}

    def restore(self, state: State) -> None:
        """Take over what another watcher of the same training had."""
        self.velocity[:], self.seconds = state["velocity"], float(state["seconds"])
        kernels = [state[f"kernel{number}"] for number in range(len(self._groups)) if f"kernel{number}" in state]
        self._before = [torch.from_numpy(kernel).to(self._images.device) for kernel in kernels]


def gram(model: nn.Module, images: Images, index: torch.Tensor, part_bytes: int | None = None) -> torch.Tensor:
    """Return the products of the logits' gradients in all weights; evaluation mode, float32, no augmentation.

    Two parts of the examples are held at once. Where the gradients of all fit into one part they are computed once;
    otherwise those of later parts are computed again for every earlier one, so that no memory grows with the examples.

    Args:
        model: any network of ours; left in evaluation mode.
        images: on the model's device.
        index: (M,) int64 positions.
        part_bytes: of the gradients in one part, of one example at least; None: `GRADIENT_BYTES`. Where a GPU's memory is too full
            for that, parts are smaller.

    Returns:
        (M * classes, M * classes) float32, rows ordered by example, then class.
    """
    model.eval()
    weights = sum(weight.numel() for weight in model.parameters())
    part_bytes = GRADIENT_BYTES[images.device.type] if part_bytes is None else part_bytes
    size = max(1, part_bytes // (4 * weights * model.fc.out_features))
    try:
        return _gram(model, images, index.split(size))
    except torch.OutOfMemoryError:
        if size == 1:
            raise
    return gram(model, images, index, part_bytes // 4)


def _gram(model: nn.Module, images: Images, parts: Sequence[torch.Tensor]) -> torch.Tensor:
    rows = [[None] * len(parts) for _ in parts]
    for first, part in enumerate(parts):
        left = gradients(model, images.clean(part))
        for second in range(first, len(parts)):
            right = left if second == first else gradients(model, images.clean(parts[second]))
            rows[first][second] = sum(a @ b.T for a, b in zip(left, right, strict=True))
            rows[second][first] = rows[first][second].T
    return torch.cat([torch.cat(row, dim=1) for row in rows])


def gradients(model: nn.Module, batch: torch.Tensor) -> list[torch.Tensor]:
    """Return the gradient of every logit of every image, one (B * classes, weights of the layer) float32 array per weight.

    Args:
        model: in evaluation mode.
        batch: (B, C, H, W) float32.
    """
    # channels first: of channels-last maps vmap pools one image at a time
    weights = {name: weight.detach().contiguous() for name, weight in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def logits(weights: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        return functional_call(model, (weights, buffers), (image.unsqueeze(0),)).squeeze(0)

    by_weight = vmap(jacrev(logits), in_dims=(None, 0))(weights, batch.contiguous())
    return [gradient.detach().flatten(2).flatten(0, 1) for gradient in by_weight.values()]


def distance(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return 1 - the cosine of the angle between two matrices, 0..1 for kernels; a factor changes nothing.

    Computed as half the squared length of the difference between both at length 1: 1 - cosine would lose the digits of small
    angles.

    Args:
        before, after: of one shape, not zero.
    """
    before, after = before.double(), after.double()
    return float((before / before.norm() - after / after.norm()).square().sum() / 2)
