"""What a training gains when doubted labels are left out."""

import pandas as pd

from pipeline_lib.analyse.statistics import NO_INTERVAL, paired_difference, share_interval
from pipeline_lib.analyse.sweeps import by_seed

ALL_DATA = "all data"
COLUMNS = (
    *("by", "point", "runs", "kept", "left_out", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high", "over_random_mean", "over_random_low", "over_random_high"),
)


def summarise(sweeps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Compare trainings without the doubted labels with all data, and with as many left out at random.

    Args:
        sweeps: who doubts -> rows of its sweep, two points each; and "full".

    Returns:
        One row for all data and two for everyone who doubts, with `COLUMNS`: accuracies are shares (0..1) with 95% t-intervals
        over the runs; `gain` is the difference to all data, `over_random` that to as many left out at random, both paired by
        seed; NaN where there is none.
    """
    full = sweeps["full"]
    examples = int(full["kept"].max())
    rows = [("", ALL_DATA, len(full), examples, 0, *share_interval(full["accuracy"].to_numpy()), *NO_INTERVAL, *NO_INTERVAL)]
    for by, runs in sweeps.items():
        if by == "full":
            continue
        points = dict(list(runs.groupby("point", sort=False)))
        [random] = [there for point, there in points.items() if "random" in point]
        for point, there in points.items():
            interval, accuracy = share_interval(there["accuracy"].to_numpy()), by_seed(there, "accuracy")
            gain = paired_difference(accuracy, by_seed(full, "accuracy"))[:3]
            over = NO_INTERVAL if there is random else paired_difference(accuracy, by_seed(random, "accuracy"))[:3]
            kept = int(there["kept"].iloc[0])
            rows.append((by, point, len(there), kept, examples - kept, *interval, *gain, *over))
    return pd.DataFrame(rows, columns=COLUMNS)
