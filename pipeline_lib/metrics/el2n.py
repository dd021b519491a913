"""EL2N: the norm of the error vector.

    score_i = mean over seeds of || softmax(z_{e,T,i}) - onehot(y_i) ||_2

Source: Paul, Ganguli, Dziugaite 2021, "Deep Learning on a Data Diet"; eval mode, no augmentation.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch

NEEDS = "dynamics"
FORMULA = "mean over seeds of ||softmax(logits at the epoch) - onehot(label)||_2"
RANGE = "0 to sqrt(2)"
CHECKS = {"epoch": check_epoch}


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the mean error norm, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: which epoch's logits, counted from 1, or "last".

    Returns:
        (N,) float64 in [0, sqrt 2].
    """
    rows, when = np.arange(dynamics.examples), dynamics.epoch_index(epoch)
    total = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        error = dynamics.probabilities(seed, when)
        error[rows, dynamics.labels] = 0
        error[rows, dynamics.labels] = -error.sum(axis=1)  # p - 1, with the digits that it would lose next to 0
        total += np.sqrt(np.einsum("nc,nc->n", error, error))
    return total / len(dynamics.seeds)
