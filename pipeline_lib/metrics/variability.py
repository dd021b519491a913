"""Variability: how much the label's probability moves during the training.

    score_i = mean over seeds of std over epochs (ddof 0) of softmax(z_{e,t,i})_y

Source: Swayamdipta et al. 2020 (Dataset Cartography); they use one training. High scores are their region "ambiguous". An
example that is wrong in the same way all along does not move and scores 0, as one that is always right.
"""

import numpy as np

from pipeline_lib.errors import PipelineError

NEEDS = "dynamics"
FORMULA = "mean over seeds of the standard deviation over epochs (ddof 0) of the label's probability"
RANGE = "0 to 0.5"
EPOCHS = 2


def score(dynamics) -> np.ndarray:
    """Return the mean spread of the label's probability over epochs, higher = harder (more ambiguous).

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64 in [0, 0.5].

    Raises:
        PipelineError: only one epoch was recorded, so there is no spread.
    """
    if dynamics.epochs < 2:
        raise PipelineError("metric variability needs at least 2 recorded epochs; raise `ensemble.epochs` in config.yaml")
    return np.mean([dynamics.label_misses(seed).std(axis=0) for seed in dynamics.seeds], axis=0)
