"""Confidence: how much probability the label misses, averaged over the training.

    score_i = 1 - mean over seeds and epochs of softmax(z_{e,t,i})_y

Source: Swayamdipta et al. 2020 (Dataset Cartography), whose confidence is the mean itself, high for easy examples; here
one minus it, so that high is hard. Their region "hard to learn" has high scores. They use one training.
"""

import numpy as np

NEEDS = "dynamics"
FORMULA = "1 - mean over seeds and epochs of the label's probability"
RANGE = "0 to 1"


def score(dynamics) -> np.ndarray:
    """Return one minus the mean probability of the label, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64 in [0, 1].
    """
    total = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        total += dynamics.label_misses(seed).mean(axis=0)
    return total / len(dynamics.seeds)
