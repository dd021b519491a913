"""STD: how much the models of the ensemble disagree.

    score_i = sum over classes of std over seeds (ddof 1) of softmax(z_{e,T,i})_c

Source: the thesis. The standard deviation is the unbiased one (E - 1), so the largest value depends on E.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch
from pipeline_lib.errors import PipelineError

NEEDS = "dynamics"
FORMULA = "sum over classes of the standard deviation over seeds (ddof 1) of softmax(logits at the epoch)"
RANGE = "0 upwards"
SEEDS = 2
CHECKS = {"epoch": check_epoch}


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the summed spread of the probabilities over seeds, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: which epoch's logits, counted from 1, or "last".

    Returns:
        (N,) float64, 0 where all models agree to the last digit.

    Raises:
        PipelineError: only one seed was recorded, so there is no spread.
    """
    if len(dynamics.seeds) < SEEDS:
        raise PipelineError(f"metric std needs at least {SEEDS} ensemble seeds; raise `ensemble.seeds` in config.yaml")
    when = dynamics.epoch_index(epoch)
    mean = np.zeros((dynamics.examples, dynamics.classes))
    squares = np.zeros_like(mean)
    for count, seed in enumerate(dynamics.seeds, 1):  # Welford: one pass, no cancellation
        p = dynamics.probabilities(seed, when)
        delta = p - mean
        mean += delta / count
        delta *= p - mean
        squares += delta
    return np.sqrt(squares / (len(dynamics.seeds) - 1)).sum(axis=1)
