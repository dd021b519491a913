"""Labels that something doubts, as what is left out of a training."""

from pathlib import Path

import numpy as np

from pipeline_lib import storage
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError

# who doubts -> the column of its table that says so
COLUMNS = {"threshold": "below_threshold", "lead": "likely_mislabelled"}
TRUTH = "truth"
WITHOUT, AT_RANDOM = "without the doubted", "without as many at random"  # points of the experiment


def read(by: str, path: str | Path | None, dataset: Dataset, what: str) -> np.ndarray:
    """Return (N,) bool: whether the label of an example is doubted.

    Args:
        by: "threshold", "lead", or "truth": the labels that are known to be wrong.
        path: the table of who doubts; None for the truth.
        dataset: the canonical data set.
        what: which training this is for, for the messages.

    Raises:
        PipelineError: the table does not fit, the truth is not known, or no label (or every one) is doubted.
    """
    examples = len(dataset.train_labels)
    if by == TRUTH:
        if dataset.true_labels is None:
            raise PipelineError(f"{what}: the true labels are not known. Leave `truth` out of `experiments.relabel.by`")
        flag = dataset.train_labels != dataset.true_labels
    else:
        table = storage.read_csv(path, ("index", COLUMNS[by]), "")
        if len(table) != examples:
            raise storage.refuse(path, f"has {len(table)} rows for {examples} examples", "")
        flag = table[COLUMNS[by]].to_numpy(dtype=bool)
    if flag.all() or not flag.any():
        raise PipelineError(
            f"{what}: {'every' if flag.any() else 'no'} label is doubted, so there is nothing to compare. Leave {by} out of "
            "`experiments.relabel.by`"
        )
    return flag
