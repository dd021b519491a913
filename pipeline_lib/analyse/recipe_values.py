"""From trainings with changed recipes to the value that is chosen: by the held-out examples, never by the test set.

What is chosen by is the balanced accuracy, the mean of the classes' accuracies: with equal classes it is the accuracy, with unequal
ones it does not forget the small ones. The chosen value is the best of several on few examples, so that its validation accuracy
looks better than it is; its test accuracy does not.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline_lib.analyse.statistics import NO_INTERVAL, mean_interval, share_interval
from pipeline_lib.analyse.sweeps import gained

INTERVAL = ("mean", "low", "high")
MOST_CLASSES = 10  # with more, the accuracy of each is not told (chosen: as many lines can still be told apart)
LOSSES = ("train_loss", "validation_loss")
LOSS_COLUMNS = ("key", "value", "epoch", "runs", *(f"{name}_{part}" for name in LOSSES for part in INTERVAL))


def values(sweeps: Mapping[str, pd.DataFrame], own: Mapping[str, float | str | None], names: list[str]) -> pd.DataFrame:
    """Summarise the trainings with every value of every key, and choose one of each key.

    Args:
        sweeps: key of the recipe -> rows of its sweep: `point` (the value), `seed`, `diverged`, and of runs that did not diverge
            accuracies on the test set and on the held-out examples.
        own: key -> the value that the data set's recipe has, or None if it is not among those tried.
        names: of the classes.

    Returns:
        One row per key and value, numbers ascending: `key`, `value`, `recipe` (whether it is the recipe's own), `chosen`, `runs`
        (that did not diverge), `diverged`; `validation` and `test` (balanced accuracies), `test_accuracy` and, of up to
        `MOST_CLASSES` classes, `test_{class}`, each as _mean, _low and _high, shares with 95% t-intervals over the seeds;
        `gain_mean`, `gain_low`, `gain_high`: of the balanced test accuracy over that of the recipe's own value, paired by seed.
    """
    rows = []
    for key, runs in sweeps.items():
        reference = runs[(runs["point"] == own[key]) & ~runs["diverged"]]
        of_key = [
            _value(group, names, reference if len(reference) else None) | {"key": key, "value": value, "recipe": value == own[key]}
            for value, group in groups(runs)
        ]
        best = chosen(of_key)
        rows += [row | {"chosen": place == best} for place, row in enumerate(of_key)]
    first = ["key", "value", "recipe", "chosen", "runs", "diverged"]
    return pd.DataFrame(rows)[[*first, *(name for name in rows[0] if name not in (*first, "last_loss"))]]


def groups(runs: pd.DataFrame) -> list[tuple[float | str, pd.DataFrame]]:
    """Return (value, its runs): numbers ascending, words in the order of the config file."""
    return list(runs.groupby("point", sort=pd.api.types.is_numeric_dtype(runs["point"])))


def chosen(rows: list[dict]) -> int | None:
    """Return the position of the highest validation accuracy, of equals the lowest loss; None if every value has diverged.

    Args:
        rows: `diverged`, `validation_mean` and `last_loss` of each value of a key.
    """
    sound = [place for place, row in enumerate(rows) if not row["diverged"]]
    return max(sound, key=lambda place: (rows[place]["validation_mean"], -rows[place]["last_loss"]), default=None)


def _value(runs: pd.DataFrame, names: list[str], reference: pd.DataFrame | None) -> dict:
    runs, diverged = runs[~runs["diverged"]], int(runs["diverged"].sum())
    told = names if len(names) <= MOST_CLASSES else []
    columns = {"validation": "validation_balanced_accuracy", "test": "balanced_accuracy", "test_accuracy": "accuracy"}
    columns |= {f"test_{name}": f"accuracy_{name}" for name in told}
    nothing = len(runs) == 0
    intervals = {name: NO_INTERVAL if nothing else share_interval(runs[column].to_numpy()) for name, column in columns.items()}
    gain = NO_INTERVAL if nothing else gained(runs, reference, "balanced_accuracy")
    last = _epochs(runs, "validation_loss").iloc[:, -1:].mean(axis=None) if len(runs) else np.nan
    return {
        "runs": len(runs),
        "diverged": diverged,
        **{f"{name}_{part}": value for name, interval in intervals.items() for part, value in zip(INTERVAL, interval, strict=True)},
        **{f"gain_{part}": value for part, value in zip(INTERVAL, gain, strict=True)},
        "last_loss": last,
    }


def losses(sweeps: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Summarise the losses after every epoch, of the training itself and on the held-out examples.

    Args:
        sweeps: as for `values`, with train_loss_{t} and validation_loss_{t}.

    Returns:
        One row per key, value and epoch with `LOSS_COLUMNS`; diverged runs are left out.
    """
    rows = []
    for key, runs in sweeps.items():
        for value, group in groups(runs):
            sound = group[~group["diverged"]]
            train, validation = (_epochs(sound, name) for name in LOSSES)
            for epoch in range(train.shape[1]):
                of_epoch = (mean_interval(table.iloc[:, epoch].to_numpy()) for table in (train, validation))
                rows.append((key, value, epoch + 1, len(sound), *(number for interval in of_epoch for number in interval)))
    return pd.DataFrame(rows, columns=LOSS_COLUMNS)


def _epochs(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a loss after every epoch, one column each: values may differ in their number of epochs."""
    return runs.filter(regex=f"^{name}_\\d+$").dropna(axis=1, how="all")
