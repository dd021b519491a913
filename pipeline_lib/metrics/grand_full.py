"""GraNd, whole: the norm of the gradient of the loss, in the weights of all layers (or of those chosen in the config).

    score_i = mean over seeds of || d CE_i / d theta ||_2 after the epoch

Source: Paul, Ganguli, Dziugaite 2021. Clean images, evaluation mode. It is recorded by the trainings, at the epochs that
`ensemble.grand_full.epochs` names and in its `layers`, because it costs about as much as an epoch of training each time; the
closed form for the last layer alone is the metric grand. Epoch 0 is the untrained model: see there.
"""

import numpy as np

from pipeline_lib.metrics import grand

NEEDS = "dynamics"
FORMULA = "mean over seeds of the norm of the gradient of the cross-entropy in all chosen layers, at the epoch"
RANGE = "0 upwards"
PASSES = 0  # the passes with gradients are its own
CHECKS = grand.CHECKS
RECORDED = "grand_full"


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the mean norm of the whole gradient, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: after which epoch, counted from 1, or "last"; 0 is the untrained model, no score to prune by.

    Returns:
        (N,) float64, 0 or more.

    Raises:
        PipelineError: it was not recorded after that epoch.
    """
    trained = 0 if epoch == 0 else dynamics.epoch_index(epoch) + 1
    return np.mean([dynamics.grand_full(seed, trained) for seed in dynamics.seeds], axis=0, dtype=np.float64)


def caveat(*, epoch="last") -> str:
    """Return what must be said beside the scores of the untrained model."""
    return grand.caveat(epoch=epoch)
