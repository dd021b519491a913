"""Flip: how often the prediction changes from one epoch to the next.

    score_i = mean over seeds of #{t >= 2 : argmax z_{e,t,i} != argmax z_{e,t-1,i}}

Source: the thesis, which used one model; here the mean over all seeds. The label is not looked at, so an example that
is wrong in the same way all along scores 0.
"""

import numpy as np

NEEDS = "dynamics"
FORMULA = "mean over seeds of the number of epochs whose prediction differs from the previous epoch's"
RANGE = "0 to epochs - 1"
EPOCHS = 2


def score(dynamics) -> np.ndarray:
    """Return the mean number of changes of the prediction, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64 in [0, T - 1].
    """
    changes = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        predicted = dynamics.predictions(seed)
        changes += (predicted[1:] != predicted[:-1]).sum(axis=0)
    return changes / len(dynamics.seeds)
