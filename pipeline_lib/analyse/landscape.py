"""What lies between two networks, and how fast kernels turn: from the files of single trainings to means with intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.statistics import mean_interval


def read(paths: Sequence[str | Path], array: str, shape: tuple[int, ...], dataset: str, rebuild: str) -> np.ndarray:
    """Return one array of several files, stacked.

    Args:
        paths: R files of trainings that differ in their seed alone.
        array: its name.
        shape: that it has in each file.
        dataset: fingerprint of the data set that the files must belong to.
        rebuild: the rule that makes them.

    Returns:
        (R, *shape) float64.

    Raises:
        PipelineError: a file is damaged, was made for another data set, or its array has another shape or holds no numbers.
    """
    found = []
    for path in paths:
        with storage.open_h5(path, rebuild, (array,)) as file:
            if file.attrs.get("dataset") != dataset:
                raise storage.refuse(path, "was made for another data set (its fingerprint differs)", rebuild)
            found.append(file[array][:])
        if found[-1].shape != shape:
            raise storage.refuse(path, f"has {array} of shape {found[-1].shape}, not {shape}", rebuild)
        if not np.isfinite(found[-1]).all():
            raise storage.refuse(path, f"holds values of {array} that are not finite", rebuild)
    return np.stack(found)


def above_chord(along: np.ndarray) -> np.ndarray:
    """Return how far a line of values lies above the chord between its ends.

    Args:
        along: (..., points) values at evenly spaced points, both ends included.

    Returns:
        (..., points) float64; below the chord it is negative.
    """
    share = np.linspace(0, 1, along.shape[-1])
    chord = (1 - share) * along[..., :1] + share * along[..., -1:]
    return along - chord


def barrier(along: np.ndarray) -> np.ndarray:
    """Return the largest height of a line of values above the chord between its ends: 0 or more.

    Args:
        along: as of `above_chord`.

    Returns:
        (...) float64.

    Source: Frankle and others 2020, with the chord instead of the mean of both ends, so that a line that only falls has none.
    """
    return above_chord(along).max(axis=-1)


def connectivity(loss: np.ndarray, error: np.ndarray, epochs: Sequence[int], groups: Sequence[str]) -> pd.DataFrame:
    """Summarise the lines of several pairs.

    Args:
        loss, error: (R, T, points, G): of R pairs, at T epochs, along the line, on G groups of examples.
        epochs: T of them.
        groups: names of the G groups.

    Returns:
        One row per measure (`loss barrier`, `error barrier`; on the line `loss` and `error`, and `loss above chord` and `error
        above chord`), epoch, group and place on the line (`share`, NaN for barriers): `mean`, `low`, `high` (95% t-interval over
        the pairs, cut off at 0 but for what is above the chord) and `runs`.
    """
    rows = []
    for name, values in (("loss", loss), ("error", error)):
        lines = np.moveaxis(values, -1, 1)  # (R, G, T, points)
        for group, of_group in enumerate(groups):
            for place, epoch in enumerate(epochs):
                line = lines[:, group, place]
                rows.append((f"{name} barrier", epoch, of_group, np.nan, *_interval(barrier(line)), len(line)))
                shares = np.linspace(0, 1, line.shape[1])
                rows += [(name, epoch, of_group, s, *_interval(line[:, at]), len(line)) for at, s in enumerate(shares)]
                above = above_chord(line)
                what = f"{name} above chord"
                rows += [(what, epoch, of_group, s, *mean_interval(above[:, at]), len(line)) for at, s in enumerate(shares)]
    return pd.DataFrame(rows, columns=["measure", "epoch", "group", "share", "mean", "low", "high", "runs"])


def velocities(velocity: np.ndarray, epochs: Sequence[int], percentiles: Sequence[float]) -> pd.DataFrame:
    """Summarise the velocities of several trainings.

    Args:
        velocity: (R, T, G): of R trainings, after T epochs, of G groups of examples.
        epochs: T of them.
        percentiles: where in the order of difficulty the middle of each group stands, 0..100.

    Returns:
        One row per epoch and group: `epoch`, `percentile`, `mean`, `low`, `high` (95% t-interval over the trainings, cut off at
        0), the same of the velocity divided by the mean of all groups in the same training and epoch (`relative_mean`,
        `relative_low`, `relative_high`: what a training does to all of them cancels), `runs`.
    """
    relative = velocity / velocity.mean(axis=2, keepdims=True)
    rows = [
        (epoch, percentile, *(number for values in (velocity, relative) for number in _interval(values[:, place, group])))
        for place, epoch in enumerate(epochs)
        for group, percentile in enumerate(percentiles)
    ]
    ends = ("mean", "low", "high")
    columns = ["epoch", "percentile", *ends, *(f"relative_{end}" for end in ends)]
    return pd.DataFrame(rows, columns=columns).assign(runs=len(velocity))


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return `mean_interval` of what cannot be negative."""
    mean, low, high = mean_interval(values)
    return mean, float(np.maximum(low, 0)), high
