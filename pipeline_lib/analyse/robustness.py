"""From the attacked trainings to their table: accuracy against the bound of the attack, and the differences to the baselines."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.statistics import NO_INTERVAL, paired_difference, share_interval
from pipeline_lib.analyse.sweeps import BASELINES, VARIANT, by_seed

POINT = [*VARIANT, "point"]
COLUMNS = (
    *("attack", "epsilon", "metric", *POINT, "kept_share", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("lost_mean", "lost_low", "lost_high", "over_random_mean", "over_random_low", "over_random_high"),
    *("over_full_mean", "over_full_low", "over_full_high", "model_bytes"),
)


def summarise(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise the attacked trainings of every metric and baseline.

    Args:
        tables: metric (or "random", "full") -> the rows of its file under attacks/.

    Returns:
        One row per attack, bound, metric, variant and share pruned with `COLUMNS`: accuracies are shares (0..1) with 95%
        t-intervals over the runs. Differences are of accuracies under the same attack, paired by seed: `lost` is that without
        attack less that under it; `over_random` and `over_full` are what is gained over the random subset of the same size and
        over all data, NaN where there is nothing to compare. `model_bytes` is the size of one kept network on the disk.
    """
    everything = pd.concat([table.assign(metric=metric) for metric, table in tables.items()], ignore_index=True)
    full, examples = everything[everything["metric"] == "full"], everything["kept"].max()
    rows = []
    for (attack, metric, *point), runs in everything.groupby(["attack", "metric", *POINT], dropna=False, sort=False):
        clean = by_seed(runs[runs["epsilon"] == 0], "accuracy")
        twin = everything[(everything["metric"] == "random") & (everything[POINT] == point).all(axis=1)]
        for epsilon, group in runs.groupby("epsilon", sort=True):
            accuracy = by_seed(group, "accuracy")
            lost = paired_difference(clean, accuracy)[:3]
            over = [
                NO_INTERVAL if metric in without else paired_difference(accuracy, _under(baseline, attack, epsilon))[:3]
                for baseline, without in ((twin, BASELINES), (full, ("full",)))
            ]
            size = group["model_bytes"].mean()
            share = group["kept"].iloc[0] / examples
            values = (*share_interval(accuracy.to_numpy()), *lost, *over[0], *over[1], size)
            rows.append((attack, epsilon, metric, *point, share, len(group), *values))
    return pd.DataFrame(rows, columns=COLUMNS)


def _under(runs: pd.DataFrame, attack: str, epsilon: float) -> pd.Series:
    """Return the accuracies under one attack, by seed."""
    return by_seed(runs[(runs["attack"] == attack) & (runs["epsilon"] == epsilon)], "accuracy")


def read_attacks(files: Mapping[str, str | Path]) -> dict[str, pd.DataFrame]:
    """Read the tables of the attacks.

    Args:
        files: metric or baseline -> file.

    Raises:
        PipelineError: a file is missing, damaged, or no such table.
    """
    columns = (*POINT, "seed", "kept", "attack", "epsilon", "accuracy", "model_bytes")
    return {name: storage.read_csv(path, columns, "attack") for name, path in files.items()}
