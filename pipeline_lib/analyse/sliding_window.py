"""The table of the sliding-window experiment."""

import pandas as pd

from pipeline_lib.analyse.statistics import share_interval

COLUMNS = ("metric", "start", "size", "runs", "accuracy_mean", "accuracy_low", "accuracy_high")


def summarise(sweeps: dict[str, pd.DataFrame], size: float) -> pd.DataFrame:
    """Summarise the runs of every metric and baseline at every start.

    Args:
        sweeps: metric (or "random", "full") -> rows with `point` and `accuracy`.
        size: share of the data in a window and in a random subset; the row of "full" says 1.

    Returns:
        One row per metric and start with `COLUMNS`; accuracies are shares (0..1) with 95% t-intervals over the runs;
        `start` is NaN for the baselines.
    """
    rows = []
    for metric, runs in sweeps.items():
        for start, group in runs.groupby("point", dropna=False, sort=True):
            kept = 1.0 if metric == "full" else size
            rows.append((metric, start, kept, len(group), *share_interval(group["accuracy"].to_numpy())))
    return pd.DataFrame(rows, columns=COLUMNS)
