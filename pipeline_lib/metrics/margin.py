"""Margin: the label's lead in the logarithm of the average probability.

    pbar_i = mean over seeds and epochs of softmax(z_{e,t,i})
    score_i = - ( log pbar_{i,y} - max_{k != y} log pbar_{i,k} )

Source: Pickler et al. 2025, whose comparison of label-error detectors it led (average probability of in-sample
predictions, then the logit margin). Probabilities are averaged before the logarithm: in `aum`, one epoch of large logits
outweighs many small ones, here it cannot.
"""

import numpy as np

from pipeline_lib.metrics.aum import lead

NEEDS = "dynamics"
FORMULA = "minus (log p - largest other log p), with p the mean over seeds and epochs of softmax(logits)"
RANGE = "-88 to 88; above 0: another class leads"
SMALLEST = np.finfo(np.float32).tiny  # probabilities are computed in single precision: less than this may read 0


def score(dynamics) -> np.ndarray:
    """Return minus the log margin of the label's average probability, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64.
    """
    return -lead(np.log(np.maximum(dynamics.mean_probabilities(), SMALLEST)), dynamics.labels)
