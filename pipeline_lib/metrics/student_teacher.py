"""Student-teacher gap: how much lower the loss is after the training than early in it.

    score_i = mean over seeds of ( CE_{e,early,i} - CE_{e,late,i} ), CE the cross-entropy of the label

The early model is the student, the late one the teacher: what both know scores about 0, what only the longer training
brings scores high and is hard in that sense. What neither learns has no gap either and ranks as easy, and what the training
unlearns (wrong labels, often) scores below 0: this is a score of what there is to learn, not of what is wrong. It needs a
student that knows something: after an epoch that taught nothing, the gap is largest for what the teacher knows best.
Source: the thesis names the gap between a model of 1 epoch and one of 10 without a formula; the difference of the losses
keeps its sign, which the distance between the two predictions would not.
"""

import numpy as np

from pipeline_lib.dynamics import check_epoch
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics.loss import mean_loss

NEEDS = "dynamics"
FORMULA = "mean over seeds of (cross-entropy at the early epoch - cross-entropy at the late epoch)"
RANGE = "any number; below 0: the training made it worse"
PASSES = 2
CHECKS = {"early": check_epoch, "late": check_epoch}


def score(dynamics, *, early=1, late="last") -> np.ndarray:
    """Return the mean fall of the loss, higher = harder (learned late), except for never-learned examples (about 0).

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).
        early: epoch of the student, counted from 1, or "last".
        late: epoch of the teacher, after `early`.

    Returns:
        (N,) float64 in nats.

    Raises:
        PipelineError: an epoch was not recorded, or the student is not the earlier one.
    """
    student, teacher = dynamics.epoch_index(early), dynamics.epoch_index(late)
    if student >= teacher:
        raise PipelineError(
            f"metric student_teacher: the student's epoch {student + 1} is not before the teacher's {teacher + 1}; lower the "
            "metric's `early`, or raise `ensemble.epochs` in config.yaml"
        )
    return mean_loss(dynamics, student) - mean_loss(dynamics, teacher)
