"""A part of a training set by difficulty, as a list to train on elsewhere."""

from fractions import Fraction

import numpy as np
import pandas as pd

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import select
from pipeline_lib.prune.plan import order_of

COLUMNS = ("index", "file", "label", "score")


def subset(
    dataset: Dataset, metric: str, score: np.ndarray, begin: Fraction, end: Fraction, balanced: bool, study_seed: int
) -> pd.DataFrame:
    """Return the examples whose difficulty lies in a range: those that the trainings of run seed 0 keep.

    The random baseline always keeps the beginning of its order.

    Args:
        dataset: the canonical data set.
        metric: its name; "random" for what the random baseline keeps.
        score: (N,) higher = harder.
        begin, end: shares of N (0..1) in the order from the easiest to the hardest: .2 and 1 leave out the easiest fifth.
        balanced: whether every class keeps the same share.
        study_seed: what the order of ties derives from.

    Returns:
        One row per kept example in canonical order: `index` (position in the data set), `file`, `label` (class name), `score`; by
        "random" the place in its order (0..1).

    Raises:
        PipelineError: the range holds no example, or all scores are the same.
    """
    if score.min() == score.max():
        raise PipelineError(f"{metric} is {score[0]:g} for every example: there is no order to choose by. Choose by another metric")
    order = order_of(metric, score, len(score), study_seed, 0)
    if metric == "random":  # its order is one of the trainings', not that of the scores
        score = np.argsort(order) / len(order)
    kept = select.window(order, begin, end - begin, dataset.train_labels if balanced else None)
    names, files = np.array(dataset.class_names, dtype=object), np.array(dataset.source_id, dtype=object)
    columns = (kept, files[kept], names[dataset.train_labels[kept]], score[kept])
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
