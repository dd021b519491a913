"""Linear mode connectivity: two networks that branch at some epoch of a training, and the straight line between their ends.

A parent is trained and leaves its state at the epochs asked for. From each, two children go on to the end of training with
orders and augmentation of their own. If the loss along the straight line between the children's weights does not rise above
the chord between their losses, they lie in one basin: the training was bound for it when they branched.

Along the line the running statistics of batch normalisation are computed anew: those of the ends belong to other activations,
and with them (averaged or not) a network between two good ones looks bad although its weights are not.

Sources: Frankle, Dziugaite, Roy, Carbin 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis"; by difficulty:
Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet", section 5. Theirs is the error; the loss stands beside it here.
"""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.learn.device import autocast
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.speed import Speed
from pipeline_lib.learn.train import EVALUATION_PIXELS, Trained, predict, train
from pipeline_lib.resume import Checkpoint, State
from pipeline_lib.rng import generator

log = logging.getLogger("pipeline")
STATISTICS_EXAMPLES = 10_000  # images that batch statistics are averaged over at most (chosen: the mean of more hardly moves)
CHILDREN = ("first", "second")


@dataclass
class Lines:
    """What one pair of children per epoch leaves behind.

    Attributes:
        loss: (T, points, groups) float64 mean cross-entropy on each group of examples, at points from the first child to the
            second.
        error: (T, points, groups) float64 share of wrong predictions, 0..1.
        seconds: wall-clock time of the trainings and of the lines.
        line_flops: floating-point operations of the lines.
        speed: account of the trainings, each from where it began; the time of the lines is evaluation.
    """

    loss: np.ndarray
    error: np.ndarray
    seconds: float = 0.0
    line_flops: float = 0.0
    speed: Speed = field(default_factory=Speed)


@dataclass
class Parting:
    """Stand in for a `Checkpoint` of `train`, in memory: a parent leaves its states, a child goes on from one of them.

    Attributes:
        epochs: after which a state is kept; 0 is before the first step.
        begin: epochs that are done before the training begins, and the state it begins with; None: from scratch.
        states: epochs -> part -> arrays.
        seconds: none that count.
    """

    epochs: list[int] = field(default_factory=list)
    begin: tuple[int, dict[str, State]] | None = None
    states: dict[int, dict[str, State]] = field(default_factory=dict)
    seconds: float = 0.0
    _parts: dict[str, tuple[Callable[[], State], Callable[[State], None]]] = field(default_factory=dict)

    def add(self, name: str, state: Callable[[], State], restore: Callable[[State], None]) -> None:
        """Add a part of the training, as `Checkpoint.add` does."""
        self._parts[name] = state, restore

    def resume(self) -> int:
        """Give every part the state to begin with, and return how many epochs are done."""
        if self.begin is None:
            self.after(0)
            return 0
        epochs, states = self.begin
        for name, (_, restore) in self._parts.items():
            if name != "clock":  # a child's time is its own
                restore(states[name])
        return epochs

    def after(self, epochs: int) -> None:
        """Keep the state after so many epochs if it was asked for."""
        if epochs in self.epochs:
            parts = ((name, state()) for name, (state, _) in self._parts.items())
            # copies: on a CPU the arrays are the network's own
            self.states[epochs] = {name: {key: np.array(value) for key, value in arrays.items()} for name, arrays in parts}


def connect(
    data: Data,
    recipe: Recipe,
    seeds: Seeds,
    epochs: list[int],
    groups: list[np.ndarray],
    points: int,
    checkpoint: Checkpoint | None = None,
) -> Lines:
    """Let two children branch from one parent at each of the given epochs, and look along the line between them.

    Args:
        data: the data set on its device.
        recipe: how the parent and its children are trained; it may hold no example out for validation, of which each child
            would hold out others.
        seeds: determine everything random; a child sees the same orders whatever the epoch it parts at.
        epochs: T of them, 0 (untrained) to `recipe.epochs` - 1.
        groups: positions of training examples, (M,) each.
        points: on the line, both ends included.
        checkpoint: where an interrupted job left the lines that it had, and this one leaves its own.

    Raises:
        PipelineError: a training diverged.
    """
    nothing = np.full((len(epochs), points, len(groups)), np.nan)
    lines = Lines(nothing.copy(), nothing.copy())
    done = _resume(checkpoint, lines) if checkpoint else 0
    earlier, begin = lines.seconds, time.perf_counter()
    parent = Parting(epochs[done:])
    lines.speed += _train(data, recipe, seeds, parent).speed
    statistics = statistics_examples(data, seeds)
    for place in range(done, len(epochs)):
        start = epochs[place], parent.states.pop(epochs[place])
        ends = [_train(data, recipe, _of_child(seeds, child), Parting(begin=start)) for child in CHILDREN]
        first, second = (end.model for end in ends)
        looking = time.perf_counter()
        lines.loss[place], lines.error[place] = along(first, second, data, recipe, groups, statistics, points)
        lines.line_flops += points * (len(statistics) + sum(map(len, groups))) * ends[0].forward_flops
        lines.speed += _since(ends, epochs[place] / recipe.epochs) + Speed(evaluation_seconds=time.perf_counter() - looking)
        lines.seconds = earlier + time.perf_counter() - begin
        log.info("branched after epoch %d: loss of each group along the line\n%s", start[0], lines.loss[place].T.round(4))
        if checkpoint:
            checkpoint.after(place + 1)
    return lines


def _of_child(seeds: Seeds, child: str) -> Seeds:
    return seeds._replace(purpose=f"{seeds.purpose}, {child} child")


def _train(data: Data, recipe: Recipe, seeds: Seeds, parting: Parting) -> Trained:
    return train(data, np.arange(data.train.examples), recipe, seeds, checkpoint=parting)


def _since(ends: list[Trained], begin: float) -> Speed:
    """Return the account of trainings that began after this share of their epochs; their clocks ran from there already."""
    whole = sum((end.speed for end in ends), Speed())
    return replace(whole, images=round(whole.images * (1 - begin)), flops=whole.flops * (1 - begin))


def _resume(checkpoint: Checkpoint, lines: Lines) -> int:
    """Say what a job's state is made of, take over what is there, and return how many epochs have their line."""

    def restore(state: State) -> None:
        lines.loss[:], lines.error[:] = state["loss"], state["error"]
        lines.seconds, lines.line_flops = float(state["seconds"]), float(state["line_flops"])
        lines.speed = Speed(**{name: state[name].item() for name in vars(lines.speed)})

    def state() -> State:
        values = vars(lines) | vars(lines.speed)
        return {name: np.array(value) for name, value in values.items() if name != "speed"}

    checkpoint.add("lines", state, restore)
    return checkpoint.resume()


def along(
    first: nn.Module,
    second: nn.Module,
    data: Data,
    recipe: Recipe,
    groups: list[np.ndarray],
    statistics: torch.Tensor,
    points: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and error on every group at evenly spaced points from one network to another.

    Args:
        first, second: networks of one kind, on the data's device.
        data: the data set on its device.
        recipe: for batch size and precision.
        groups: positions of training examples, (M,) each.
        statistics: (S,) int64 positions of the training examples that batch statistics are averaged over.
        points: both ends included.

    Returns:
        Two (points, groups) float64 arrays: mean cross-entropy; share of wrong predictions.
    """
    sizes = [len(group) for group in groups]
    index = torch.from_numpy(np.concatenate(groups)).to(data.device)
    losses, errors = [], []
    for share in np.linspace(0, 1, points):
        model = between(first, second, float(share))
        average_statistics(model, data, recipe, statistics)
        logits = predict(model, data.train, recipe, index)
        loss = nn.functional.cross_entropy(logits, data.train_labels[index], reduction="none")
        wrong = (logits.argmax(dim=1) != data.train_labels[index]).double()
        losses.append([part.double().mean().item() for part in loss.split(sizes)])
        errors.append([part.mean().item() for part in wrong.split(sizes)])
    return np.array(losses), np.array(errors)


@torch.no_grad()
def between(first: nn.Module, second: nn.Module, share: float) -> nn.Module:
    """Return a network on the straight line from the first (share 0) to the second (share 1): weights and buffers."""
    model = copy.deepcopy(first)
    own, others = model.state_dict(), second.state_dict()
    for name, value in own.items():
        if value.is_floating_point():
            value.copy_((1 - share) * value + share * others[name])
    return model


@torch.no_grad()
def average_statistics(model: nn.Module, data: Data, recipe: Recipe, index: torch.Tensor) -> None:
    """Compute the running statistics of batch normalisation anew: plain averages over batches of clean training images.

    Args:
        model: changed in place, left in evaluation mode.
        data: the data set on its device.
        recipe: for the precision.
        index: (S,) int64 positions in random order.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    kept = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # the average of all batches instead of one that forgets
    size = max(1, EVALUATION_PIXELS[data.device.type] // (data.train.height * data.train.width))
    model.train()
    with autocast(data.device, recipe.precision):
        for part in index.tensor_split(-(-len(index) // size)) if norms else ():
            model(data.train.clean(part))
    for layer, momentum in zip(norms, kept, strict=True):
        layer.momentum = momentum
    model.eval()


def statistics_examples(data: Data, seeds: Seeds) -> torch.Tensor:
    """Return (S,) int64 positions of training examples in random order, all of them or `STATISTICS_EXAMPLES`."""
    order = generator(*seeds, "statistics").permutation(data.train.examples)
    return torch.from_numpy(order[:STATISTICS_EXAMPLES]).to(data.device)
