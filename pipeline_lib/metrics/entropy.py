"""Entropy: how undecided the ensemble is as a whole. No label is looked at.

    pbar_i = mean over seeds of softmax(z_{e,T,i})
    score_i = - sum over classes of pbar_{i,c} log pbar_{i,c}

Source: the usual uncertainty score of active learning, here of the ensemble's mean. An example that all models get wrong
in the same way and with certainty scores 0.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch

NEEDS = "dynamics"
FORMULA = "entropy of the mean over seeds of softmax(logits at the epoch)"
RANGE = "0 to ln(number of classes)"
CHECKS = {"epoch": check_epoch}
SMALLEST = np.finfo(np.float64).tiny  # 0 log 0 counts 0


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the entropy of the mean prediction, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: which epoch's logits, counted from 1, or "last".

    Returns:
        (N,) float64 in nats, in [0, ln C].
    """
    p = dynamics.mean_probabilities([dynamics.epoch_index(epoch)])
    return -np.einsum("nc,nc->n", p, np.log(np.maximum(p, SMALLEST)))
