"""Loss: the cross-entropy of the label.

    score_i = mean over seeds of - log softmax(z_{e,T,i})_y

Source: the usual training loss; the plainest baseline of label-error detection.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch

NEEDS = "dynamics"
FORMULA = "mean over seeds of the cross-entropy of softmax(logits at the epoch) with the label"
RANGE = "0 upwards"
CHECKS = {"epoch": check_epoch}


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the mean cross-entropy, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: which epoch's logits, counted from 1, or "last".

    Returns:
        (N,) float64 in nats, 0 or more.
    """
    return mean_loss(dynamics, dynamics.epoch_index(epoch))


def mean_loss(dynamics, when: int) -> np.ndarray:
    """Return (N,) float64 cross-entropy at one epoch (counted from 0), averaged over seeds."""
    rows = np.arange(dynamics.examples)
    total = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        z = dynamics.logits(seed, when)
        z -= z.max(axis=1, keepdims=True)
        label = z[rows, dynamics.labels].astype(np.float64)  # 0 where the label leads, below 0 elsewhere
        odds = np.exp(z, out=z)
        odds[rows, dynamics.labels] = 0
        # log(exp(label) + others) - label, without adding to 1 first: what is lost beside 1 orders the easiest examples
        total += np.log1p(odds.sum(axis=1, dtype=np.float64) + np.expm1(label)) - label
    return total / len(dynamics.seeds)
