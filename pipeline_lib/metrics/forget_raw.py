"""Forgetting events, the thesis's raw count.

    score_i = mean over seeds of #{t >= 2 : right at t-1 and wrong at t}

Source: the thesis, after Toneva et al. 2019. An example that is never learned cannot be forgotten and scores 0, as if
it were easy: `forget` mends that; this count is kept for comparison.
"""

import numpy as np

NEEDS = "dynamics"
FORMULA = "mean over seeds of the number of epochs that turn a right prediction wrong (never learned: 0)"
RANGE = "0 to half the epochs"
EPOCHS = 2


def score(dynamics) -> np.ndarray:
    """Return the mean number of forgetting events, higher = harder except for never-learned examples (0).

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64 in [0, T / 2].
    """
    return np.mean([forgetting_events(dynamics.correct(seed)) for seed in dynamics.seeds], axis=0)


def forgetting_events(correct: np.ndarray) -> np.ndarray:
    """Count the epochs at which a right prediction turned wrong: (T, N) bool -> (N,) int."""
    return (correct[:-1] & ~correct[1:]).sum(axis=0)
