"""Which examples to show."""

import numpy as np
import pandas as pd

from pipeline_lib.prune.select import difficulty_order

GROUPS = ("easiest", "hardest", "likely mislabelled")


def choose(score: np.ndarray, flag: np.ndarray, each: int, rng: np.random.Generator) -> pd.DataFrame:
    """Choose examples of every group by one metric.

    Args:
        score: (N,) higher = harder.
        flag: (N,) bool, label doubted.
        each: how many of a group at most.
        rng: breaks ties, so that equal scores do not show one class only.

    Returns:
        `group` (of `GROUPS`, in this order), `index` and `score`; the easiest group starts with the easiest example, the
        others with the hardest. The doubted ones may be among the hardest too.
    """
    order = difficulty_order(score, rng)
    hardest = order[::-1]
    members = dict(zip(GROUPS, (order[:each], hardest[:each], hardest[flag[hardest]][:each]), strict=True))
    groups = np.repeat(GROUPS, [len(index) for index in members.values()])
    index = np.concatenate(list(members.values()))
    return pd.DataFrame({"group": groups, "index": index, "score": score[index]})


def of_different_classes(labels: np.ndarray, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Draw examples of as many different classes as possible.

    Args:
        labels: (N,) integer classes.
        wanted: how many examples at most.
        rng: draws them.

    Returns:
        Positions, by class; a class comes twice only when every class has come once.
    """
    order = rng.permutation(len(labels))
    turn = pd.Series(order).groupby(labels[order]).cumcount().to_numpy()
    chosen = order[np.argsort(turn, kind="stable")][:wanted]
    return chosen[np.argsort(labels[chosen], kind="stable")]
