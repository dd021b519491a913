"""Threshold examples: training examples that are given a class of their own, which nothing in their images supports.

How a network treats them is how it treats a wrong label. Source: Pleiss et al. 2020, "Identifying Mislabeled Data using the
Area Under the Margin Ranking".
"""

from dataclasses import replace

import numpy as np

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.rng import generator

NAME = "threshold examples"  # of the class


def members(examples: int, classes: int, run: int, study_seed: int) -> np.ndarray:
    """Draw the threshold examples of one run: as many as the average class has, once there is this class more.

    Args:
        examples: N.
        classes: C.
        run: number of the run; the sets of the runs 0 to C are disjoint, and so are those of the next C + 1.
        study_seed: what the draw derives from.

    Returns:
        Sorted positions, N / (C + 1) of them (rounded down, at least one).
    """
    size = max(1, examples // (classes + 1))
    batch, place = divmod(run, classes + 1)
    order = generator(study_seed, "threshold examples", batch).permutation(examples)
    return np.sort(order[place * size : (place + 1) * size])


def with_threshold_class(dataset: Dataset, chosen: np.ndarray) -> Dataset:
    """Return the data set with one class more, C, that the chosen examples (positions) belong to."""
    labels = dataset.train_labels.copy()
    labels[chosen] = dataset.classes
    return replace(dataset, train_labels=labels, class_names=[*dataset.class_names, NAME])
