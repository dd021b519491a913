"""What happens to single classes: which are confused, and which pruning starves."""

import numpy as np
import pandas as pd

from pipeline_lib import confusion
from pipeline_lib.analyse.statistics import NO_INTERVAL, share_interval
from pipeline_lib.analyse.sweeps import REPEATED, VARIANT, class_counts, gained

TEST_SETS = {"all": "", "drawn": "drawn_"}  # test set -> how its columns of a sweep begin
CONFUSION_COLUMNS = ("test_set", "true", "predicted", "trained", "images", "runs", "mean", "low", "high")
OVERALL = ("accuracy", "balanced_accuracy")  # stand in the column `predicted` where `true` is EVERY
EVERY = "(every class)"
COLUMNS = (
    *("metric", *VARIANT, "point", "measure", "class", "trained", "runs", "mean", "low", "high"),
    *("gain_mean", "gain_low", "gain_high"),
)
KEPT, CLASS, BALANCED, DRAWN = "share kept", "class accuracy", "balanced accuracy", "accuracy on the imbalanced test set"


def confusions(runs: pd.DataFrame) -> pd.DataFrame:
    """Average the confusion matrices of several trainings.

    Args:
        runs: rows of a sweep, all of the same kind of training.

    Returns:
        With `CONFUSION_COLUMNS`: for every test set (`all`, and `drawn` where there is one), true and predicted class the share
        of the true class's test images (0..1), mean over the trainings with its 95% t-interval; pairs that never occurred are
        left out, but for a class with itself. First of each test set, with `true` = EVERY, the shares in `OVERALL`. `trained` is
        the number of training examples of the true class, `images` that of its test images.
    """
    counts = class_counts(runs).iloc[0]
    names, trained = [name.removeprefix("kept_") for name in counts.index], counts.to_numpy()
    rows = []
    for test_set, prefix in TEST_SETS.items():
        if f"{prefix}confusion" not in runs:
            continue
        found = np.stack([confusion.from_text(text) for text in runs[f"{prefix}confusion"]])
        images = found[0].sum(axis=1)
        for measure in OVERALL:
            values = share_interval(runs[f"{prefix}{measure}"].to_numpy())
            rows.append((test_set, EVERY, measure, trained.sum(), images.sum(), len(runs), *values))
        shares = found / np.maximum(images, 1)[:, None]
        for true, predicted in np.argwhere(found.any(axis=0) | np.diag(images > 0)):
            values = share_interval(shares[:, true, predicted])
            rows.append((test_set, names[true], names[predicted], trained[true], images[true], len(runs), *values))
    return pd.DataFrame(rows, columns=CONFUSION_COLUMNS)


def starved(sweeps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tell what pruning leaves of each class, what it does to the classes' accuracy, and what class quotas change.

    Args:
        sweeps: metric (or "random", "full") -> the rows of its sweep of prune_easiest, with quotas (`balanced`) and without.

    Returns:
        With `COLUMNS`, one row per metric, variant, point, measure and class: the share kept of each class, each class's test
        accuracy, and of all together (`class` = EVERY) the balanced accuracy and, where there is an imbalanced test set, the
        accuracy on it: shares (0..1), mean over the runs with their 95% t-intervals. `trained` is the number of examples of the
        class in all data. The gain is that of quotas: the difference to the same without, paired by seed; NaN without quotas.
    """
    sizes = class_counts(sweeps["full"]).iloc[0].rename(lambda name: name.removeprefix("kept_"))
    rows = []
    for metric, runs in sweeps.items():
        if metric == REPEATED:  # leaves nothing out for good
            continue
        measured = _measured(runs, sizes)
        for (measure, name, budget, point), group in measured.groupby(
            ["measure", "class", "budget", "point"], dropna=False, sort=False
        ):
            trained = sizes.sum() if name == EVERY else sizes[name]
            for balanced, values in group.groupby("balanced"):
                gain = gained(values, group[~group["balanced"]], "value") if balanced else NO_INTERVAL
                interval = share_interval(values["value"].to_numpy())
                rows.append((metric, balanced, budget, point, measure, name, trained, len(values), *interval, *gain))
    return pd.DataFrame(rows, columns=COLUMNS)


def _measured(runs: pd.DataFrame, sizes: pd.Series) -> pd.DataFrame:
    """Return one row per run, measure and class: `balanced`, `budget`, `point`, `seed`, `measure`, `class`, `value`."""
    values = {(KEPT, name): runs[f"kept_{name}"] / size for name, size in sizes.items() if size}
    values |= {(CLASS, name): runs[f"accuracy_{name}"] for name in sizes.index if runs[f"accuracy_{name}"].notna().all()}
    values[BALANCED, EVERY] = runs["balanced_accuracy"]
    if "drawn_accuracy" in runs:
        values[DRAWN, EVERY] = runs["drawn_accuracy"]
    what = runs[[*VARIANT, "point", "seed"]]
    parts = [what.assign(measure=measure, **{"class": name}, value=column) for (measure, name), column in values.items()]
    return pd.concat(parts, ignore_index=True)
