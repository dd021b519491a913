"""From the runs of an experiment to its table: means over training seeds, and what was gained over a random subset."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.statistics import paired_difference, share_interval

VARIANT = ["balanced", "budget"]  # an experiment may be run in several
COLUMNS = (
    *("metric", *VARIANT, "point", "kept_share", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high"),
)
CURVE_COLUMNS = ("metric", *VARIANT, "point", "epoch", "runs", "accuracy_mean", "accuracy_low", "accuracy_high")
BASELINES = ("random", "full")


def summarise(sweeps: dict[str, pd.DataFrame], examples: int) -> pd.DataFrame:
    """Summarise the runs of every metric and baseline at every point.

    Args:
        sweeps: metric (or "random", "full") -> the rows of its sweep file.
        examples: size of the training set.

    Returns:
        One row per metric, variant and point with `COLUMNS`: accuracies are shares (0..1) with 95% t-intervals over the runs;
        the gain is the accuracy less that of the random subset of the same size, paired by seed, NaN for baselines.
    """
    rows = []
    for metric, runs in sweeps.items():
        for (balanced, budget, point), group in runs.groupby([*VARIANT, "point"], dropna=False, sort=True):
            reference = None if metric in BASELINES else random_at(sweeps.get("random"), balanced, budget, point)
            gain = (np.nan,) * 3 if reference is None else paired_difference(by_seed(group), by_seed(reference))[:3]
            accuracy = share_interval(group["accuracy"].to_numpy())
            rows.append((metric, balanced, budget, point, group["kept"].iloc[0] / examples, len(group), *accuracy, *gain))
    return pd.DataFrame(rows, columns=COLUMNS)


def random_at(runs: pd.DataFrame | None, balanced: bool, budget: str, point: float | str) -> pd.DataFrame | None:
    """Return the random runs to compare a point with: those of the same point, or those that stand for all points."""
    if runs is None:
        return None
    variant = runs[(runs["balanced"] == balanced) & (runs["budget"] == budget)]
    there = variant[variant["point"] == point]
    found = there if len(there) else variant[variant["point"].isna()]
    return found if len(found) else None


def by_seed(runs: pd.DataFrame) -> pd.Series:
    """Return the accuracies of runs, labelled by their seeds."""
    return runs.set_index("seed")["accuracy"]


def curves(sweeps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise the test accuracy after every epoch.

    Args:
        sweeps: metric or baseline -> rows with epoch_1, epoch_2, ...

    Returns:
        One row per metric, variant, point and epoch with `CURVE_COLUMNS`.
    """
    rows = []
    for metric, runs in sweeps.items():
        epochs = [name for name in runs.columns if name.startswith("epoch_")]
        for (balanced, budget, point), group in runs.groupby([*VARIANT, "point"], dropna=False, sort=True):
            for epoch, name in enumerate(epochs, 1):
                rows.append((metric, balanced, budget, point, epoch, len(group), *share_interval(group[name].to_numpy())))
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def read_sweeps(files: Mapping[str, str | Path]) -> dict[str, pd.DataFrame]:
    """Read the sweep files of an experiment.

    Args:
        files: metric or baseline -> file.

    Raises:
        PipelineError: a file is missing, damaged, or no sweep.
    """
    return {name: storage.read_csv(path, ("point", *VARIANT, "seed", "kept", "accuracy"), "sweep") for name, path in files.items()}
