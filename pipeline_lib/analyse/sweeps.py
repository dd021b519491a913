"""From the runs of an experiment to its table: means over training seeds, and what was gained over a random subset."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.statistics import NO_INTERVAL, paired_difference, share_interval

VARIANT = ["balanced", "budget"]  # an experiment may be run in several
BALANCING = {True: "the same share of every class", False: "no class balancing"}  # `balanced` in words
COLUMNS = (
    *("metric", *VARIANT, "point", "kept_share", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high", "classes_missing", "kept_min", "kept_max"),
)
CURVE_COLUMNS = (
    *("metric", *VARIANT, "point", "epoch", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high", "kept_share"),
)
BASELINES = ("random", "full")  # what others are compared with
REPEATED = "repeated_random"  # RS2, another random subset in every epoch: has a gain over one that stays
UNSCORED = (*BASELINES, REPEATED)  # no metrics


def summarise(sweeps: dict[str, pd.DataFrame], examples: int) -> pd.DataFrame:
    """Summarise the runs of every metric and baseline at every point.

    Args:
        sweeps: metric (or "random", "full") -> the rows of its sweep file.
        examples: size of the training set.

    Returns:
        One row per metric, variant and point with `COLUMNS`: accuracies are shares (0..1) with 95% t-intervals over the runs;
        the gain is the accuracy less that of the random subset of the same size, paired by seed, NaN for "random" and "full".
        `classes_missing` is the largest number of classes, over the runs, without a kept example; `kept_min` and `kept_max` are
        the smallest and the largest share of a class that is kept (by "repeated_random": in any epoch), mean over the runs, NaN
        without "full" (the classes' sizes).
    """
    sizes = class_counts(sweeps["full"]).max() if "full" in sweeps else None
    rows = []
    for metric, runs in sweeps.items():
        for (balanced, budget, point), group in runs.groupby([*VARIANT, "point"], dropna=False, sort=True):
            reference = None if metric in BASELINES else random_at(sweeps.get("random"), balanced, budget, point)
            gain = gained(group, reference, "accuracy")
            accuracy = share_interval(group["accuracy"].to_numpy())
            share = group["kept"].iloc[0] / examples
            rows.append((metric, balanced, budget, point, share, len(group), *accuracy, *gain, *classes_kept(group, sizes)))
    return pd.DataFrame(rows, columns=COLUMNS)


def random_at(runs: pd.DataFrame | None, balanced: bool, budget: str, point: float | str) -> pd.DataFrame | None:
    """Return the random runs to compare a point with: those of the same point, or those that stand for all points."""
    if runs is None:
        return None
    variant = runs[(runs["balanced"] == balanced) & (runs["budget"] == budget)]
    there = variant[variant["point"] == point]
    found = there if len(there) else variant[variant["point"].isna()]
    return found if len(found) else None


def gained(runs: pd.DataFrame, reference: pd.DataFrame | None, column: str) -> tuple[float, float, float]:
    """Return (mean, low, high) of the difference to the reference runs in one column, paired by seed."""
    if reference is None:
        return NO_INTERVAL
    return paired_difference(by_seed(runs, column), by_seed(reference, column))[:3]


def by_seed(runs: pd.DataFrame, column: str) -> pd.Series:
    """Return one column of runs, labelled by their seeds."""
    return runs.set_index("seed")[column]


def class_counts(runs: pd.DataFrame) -> pd.DataFrame:
    """Return how many examples of each class were kept: one row per run, one column kept_{class} per class."""
    return runs.filter(regex="^kept_")


def classes_kept(runs: pd.DataFrame, sizes: pd.Series | None) -> tuple[int, float, float]:
    """Return (largest number of classes missing in a run, smallest and largest share kept of a class).

    Args:
        runs: of one point.
        sizes: of the classes, as `class_counts` names them; None: not known, the shares are NaN.
    """
    counts = class_counts(runs)
    if sizes is None:
        return int((counts == 0).sum(axis=1).max()), np.nan, np.nan
    present = sizes[sizes > 0]  # a class that the whole training set lacks is not missing
    counts = counts[present.index]
    kept = counts.mean() / present
    return int((counts == 0).sum(axis=1).max()), kept.min(), kept.max()


def curves(sweeps: dict[str, pd.DataFrame], in_use: Sequence[float] | None = None) -> pd.DataFrame:
    """Summarise the test accuracy after every epoch.

    Args:
        sweeps: metric or baseline -> rows with epoch_1, epoch_2, ...
        in_use: of a curriculum, the share of the data that each epoch trains on, in (0, 1]; None if all epochs train on the
            same subset.

    Returns:
        One row per metric, variant, point and epoch with `CURVE_COLUMNS`: accuracies and gains as in `summarise`, the gain
        over random after the same epoch; `kept_share` is the share of the data that the epoch trained on, NaN without "full".
    """
    examples = sweeps["full"]["kept"].max() if "full" in sweeps else np.nan
    rows = []
    for metric, runs in sweeps.items():
        epochs = [name for name in runs.columns if name.startswith("epoch_")]
        for (balanced, budget, point), group in runs.groupby([*VARIANT, "point"], dropna=False, sort=True):
            reference = None if metric in BASELINES else random_at(sweeps.get("random"), balanced, budget, point)
            kept = [group["kept"].iloc[0] / examples] * len(epochs) if in_use is None or metric == "full" else in_use
            for epoch, (name, share) in enumerate(zip(epochs, kept, strict=True), 1):
                values = (*share_interval(group[name].to_numpy()), *gained(group, reference, name), share)
                rows.append((metric, balanced, budget, point, epoch, len(group), *values))
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def read_sweeps(files: Mapping[str, str | Path], empty: bool = False) -> dict[str, pd.DataFrame]:
    """Read the sweep files of an experiment.

    Args:
        files: metric or baseline -> file.
        empty: whether a sweep may have trained nothing, as its metric had no order.

    Raises:
        PipelineError: a file is missing, damaged, or no sweep.
    """
    columns = ("point", *VARIANT, "seed", "kept", "accuracy")
    return {name: storage.read_csv(path, columns, "sweep", empty) for name, path in files.items()}


def read_cluster_counts(files: Mapping[str, str | Path]) -> dict[str, int]:
    """Read how many clusters the metrics of the experiment `clusters` have.

    Args:
        files: metric -> file of its clustering.

    Raises:
        PipelineError: a file is missing or damaged.
    """
    counts = {}
    for metric, path in files.items():
        with storage.open_h5(path, "cluster") as file:
            counts[metric] = int(file.attrs["clusters"])
    return counts
