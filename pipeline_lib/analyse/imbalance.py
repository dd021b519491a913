"""From trainings with each way of making up for unequal classes to what it does to every class."""

from collections.abc import Mapping

import pandas as pd

from pipeline_lib import confusion
from pipeline_lib.analyse.classes import TEST_SETS
from pipeline_lib.analyse.statistics import NO_INTERVAL, paired_difference, share_interval
from pipeline_lib.analyse.sweeps import by_seed

NONE = "none"  # the way with which the others are compared
OVERALL, BALANCED = "all images", "mean of classes"
# test set -> how the columns of a sweep begin that were measured on it
TESTS = {"the whole test set": TEST_SETS["all"], "the imbalanced test set, as unequal as the training examples": TEST_SETS["drawn"]}
COLUMNS = (
    *("balance", "test", "measure", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high"),
)


def compare(sweeps: Mapping[str, pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """Summarise the test accuracies of every way, and their differences to no correction.

    Args:
        sweeps: way ("none" among them) -> rows of its sweep.
        names: of the classes.

    Returns:
        One row per way, test set and measure with `COLUMNS`. Measures: the share of all images that is right, the mean of the
        classes' accuracies, and the accuracy of each class. Shares with 95% t-intervals over the seeds; the gain is the difference
        to "none", paired by seed, NaN for "none" itself.
    """
    of_ways = {way: measured(runs, names) for way, runs in sweeps.items()}
    rows = []
    for way, by_measure in of_ways.items():
        for (test, measure), accuracy in by_measure.items():
            gain = NO_INTERVAL if way == NONE else paired_difference(accuracy, of_ways[NONE][test, measure])[:3]
            rows.append((way, test, measure, len(accuracy), *share_interval(accuracy.to_numpy()), *gain))
    return pd.DataFrame(rows, columns=COLUMNS)


def measured(runs: pd.DataFrame, names: list[str]) -> dict[tuple[str, str], pd.Series]:
    """Return (test set, measure) -> accuracy by seed; classes and test sets without images are left out.

    Args:
        runs: rows of a sweep.
        names: of the classes.
    """
    found = {}
    for test, prefix in TESTS.items():
        if f"{prefix}accuracy" not in runs:
            continue
        found[test, OVERALL] = by_seed(runs, f"{prefix}accuracy")
        found[test, BALANCED] = by_seed(runs, f"{prefix}balanced_accuracy")
        shares = [confusion.class_accuracy(confusion.from_text(text)) for text in runs[f"{prefix}confusion"]]
        by_class = pd.DataFrame(shares, index=runs["seed"], columns=names, dtype=float).dropna(axis=1)
        found |= {(test, name): by_class[name] for name in by_class}
    return found
