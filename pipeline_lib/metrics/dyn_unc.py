"""Dyn-Unc: how much the label's probability moves within a few epochs, averaged over the training.

    score_i = mean over seeds and the T - J + 1 windows of J epochs of std in the window (ddof 1) of softmax(z_{e,t,i})_y

Source: He et al. 2024, "Large-scale Dataset Pruning with Dynamic Uncertainty", with windows of 10 epochs in one much
longer training; here 5, because an ensemble of ours trains about 10. Slow learning over the whole training counts little
here and much in `variability`; an example that is wrong in the same way all along scores 0 in both.
"""

import numpy as np

from pipeline_lib.errors import PipelineError

NEEDS = "dynamics"
FORMULA = "mean over seeds and windows of epochs of the standard deviation in the window (ddof 1) of the label's probability"
RANGE = "0 to sqrt(window / (4 (window - 1)))"


def _check_window(value) -> None:
    if not (type(value) is int and value >= 2):
        raise ValueError(f"{value!r} is not a number of epochs: a whole number from 2")


CHECKS = {"window": _check_window}


def score(dynamics, *, window=5) -> np.ndarray:
    """Return the mean spread of the label's probability in windows of epochs, higher = harder (more uncertain).

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        window: how many epochs J a window has, 2 to T.

    Returns:
        (N,) float64, 0 or more.

    Raises:
        PipelineError: fewer epochs were recorded than a window has.
    """
    if window > dynamics.epochs:
        raise PipelineError(
            f"metric dyn_unc: a window of {window} epochs does not fit into the {dynamics.epochs} that the ensemble recorded; "
            "lower the metric's `window` or raise `ensemble.epochs` in config.yaml"
        )
    total, windows = np.zeros(dynamics.examples), dynamics.epochs - window + 1
    for seed in dynamics.seeds:
        missed = dynamics.label_misses(seed)  # spreads as the label's probability does
        for begin in range(windows):
            total += missed[begin : begin + window].std(axis=0, ddof=1)
    return total / (len(dynamics.seeds) * windows)
