"""Forgetting events; an example that is never learned counts as hardest.

    per seed: #{t >= 2 : right at t-1 and wrong at t}, or T if the example was right at no epoch
    score_i = mean over seeds

Source: Toneva et al. 2019 (never learned = as many events as presentations). They count per presentation of the
augmented batch; here per epoch on the clean pass, as the thesis.
"""

import numpy as np

from pipeline_lib.metrics.forget_raw import forgetting_events

NEEDS = "dynamics"
FORMULA = "mean over seeds of the number of epochs that turn a right prediction wrong (never learned: all epochs)"
RANGE = "0 to the number of epochs"


def score(dynamics) -> np.ndarray:
    """Return the mean number of forgetting events, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64 in [0, T]; T for an example that no seed ever got right.
    """
    total = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        correct = dynamics.correct(seed)
        total += np.where(correct.any(axis=0), forgetting_events(correct), dynamics.epochs)
    return total / len(dynamics.seeds)
