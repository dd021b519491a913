"""GraNd: the norm of the gradient of the loss, in the weights and bias of the last layer.

    score_i = mean over seeds of || softmax(z_{e,t,i}) - onehot(y_i) ||_2 * sqrt(1 + || h_{e,t,i} ||_2^2), h the last features

Source: Paul, Ganguli, Dziugaite 2021, whose norm is over all parameters; the last layer alone has this closed form. It is
recorded by the trainings, because features are not kept. Clean images, evaluation mode.
Epoch 0 is the untrained model. Its GraNd was the paper's headline and did not hold: Kirsch 2023 found a rank correlation of
.96 with the norm of the input and pruning worse than at random. It is here for that comparison.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch

NEEDS = "dynamics"
FORMULA = "mean over seeds of ||softmax(logits) - onehot(label)||_2 * sqrt(1 + ||last features||_2^2) at the epoch"
RANGE = "0 upwards"


def _check_epoch_or_none(value) -> None:
    if value != 0 or type(value) is not int:
        try:
            check_epoch(value)
        except ValueError as error:
            raise ValueError(f"{error}, or 0: before the first step") from None


CHECKS = {"epoch": _check_epoch_or_none}


def score(dynamics, *, epoch="last") -> np.ndarray:
    """Return the mean gradient norm of the last layer, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        epoch: after which epoch, counted from 1, or "last"; 0 is the untrained model, no score to prune by.

    Returns:
        (N,) float64, 0 or more.
    """
    trained = 0 if epoch == 0 else dynamics.epoch_index(epoch) + 1
    return np.mean([dynamics.grand(seed, trained) for seed in dynamics.seeds], axis=0, dtype=np.float64)


def caveat(*, epoch="last") -> str:
    """Return what must be said beside the scores of the untrained model."""
    if epoch != 0:
        return ""
    return (
        "GraNd at initialisation is not a pruning score: rank correlation .96 with the input norm, worse than random (Kirsch 2023)"
    )
