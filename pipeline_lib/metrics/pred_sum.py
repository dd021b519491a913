"""True-prediction sum: how many models of the ensemble get the example wrong.

    score_i = number of seeds whose argmax at the epoch is not y_i

Source: the thesis, which counts the models that are right (high = easy); here the wrong ones, so that high = hard.
Only E + 1 values exist: ties are broken at random by the selection, never by storage order.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch

NEEDS = "dynamics"
FORMULA = "number of seeds whose prediction at the epoch is not the label"
RANGE = "0 to the number of seeds, whole numbers"
CHECKS = {"epoch": check_epoch}


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return how many models are wrong, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: which epoch's predictions, counted from 1, or "last".

    Returns:
        (N,) float64 whole numbers in 0..E.
    """
    when = dynamics.epoch_index(epoch)
    wrong = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        wrong += ~dynamics.correct(seed)[when]
    return wrong
