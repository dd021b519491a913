"""Prototype: the distance to the middle of the own class in the trained network.

    score_i = mean over seeds of || h_{e,T,i} - mean of h_{e,T,j} over all j with y_j = y_i ||_2, h the last features

Source: the supervised prototypes of Sorscher et al. 2022, with the trainings' own features in place of a pre-trained
network's. Each seed has a scale of its own: one of large features weighs more. Recorded by the trainings, because features
are not kept.
"""

import numpy as np

NEEDS = "dynamics"
FORMULA = "mean over seeds of the Euclidean distance of the final features to their mean over the examples of the same label"
RANGE = "0 upwards"
PASSES = 1
RECORDED = "end"


def score(dynamics) -> np.ndarray:
    """Return the mean distance to the class mean, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64, 0 or more.
    """
    return np.mean([dynamics.prototype_distance(seed) for seed in dynamics.seeds], axis=0, dtype=np.float64)
