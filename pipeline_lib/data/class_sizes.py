"""How many images of each class a data set has: a table to look at, and so small that Snakemake compares it by content."""

import numpy as np
import pandas as pd

from pipeline_lib.data.dataset import Dataset


def class_sizes(dataset: Dataset, fingerprint: str) -> pd.DataFrame:
    """Count the images of every class.

    Args:
        dataset: as written.
        fingerprint: of all that it holds, as `pipeline_lib.data.dataset.write` returns it.

    Returns:
        One row per class: `label`, `class` (its name), `train` and `test` (images with that label), `wrong` (training images whose
        label is known to be wrong; all empty where the true labels are not known), `dataset` (the
        fingerprint, in every row, so that the table changes with any pixel).
    """
    labels, truth = dataset.train_labels, dataset.true_labels
    wrong = None if truth is None else np.bincount(labels[labels != truth], minlength=dataset.classes)
    return pd.DataFrame(
        {
            "label": np.arange(dataset.classes),
            "class": dataset.class_names,
            "train": np.bincount(labels, minlength=dataset.classes),
            "test": np.bincount(dataset.test_labels, minlength=dataset.classes),
            "wrong": wrong,
            "dataset": fingerprint,
        }
    )
