"""AUM of the training pass: the label's lead in the logits of the augmented images, as they were trained on.

    score_i = - mean over seeds and epochs of ( z_{e,t,i,y} - max_{k != y} z_{e,t,i,k} ), z from the training batch

Source: Pleiss et al. 2020, as they define it; `aum` reads the same lead off the clean pass after each epoch. Where a schedule
holds examples out for validation, the seeds and epochs that trained on the example count.
"""

import numpy as np

from pipeline_lib.dynamics import UnseenError

NEEDS = "dynamics"
EPOCHS = 1
FORMULA = "minus the mean over seeds and epochs of (logit of the label - largest other logit), of the augmented image in training"
RANGE = "any number; above 0: another class leads on average"
PASSES = 0  # what it reads is recorded while the examples are trained on


def score(dynamics) -> np.ndarray:
    """Return minus the mean margin of the label's logit in training, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples).

    Returns:
        (N,) float64.

    Raises:
        UnseenError: no seed trained on an example.
    """
    total, counted = np.zeros(dynamics.examples), np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        logits = dynamics.training_logits(seed)
        lead = logits[..., 0].astype(np.float64) - logits[..., 1]
        seen = ~np.isnan(lead)
        total -= np.where(seen, lead, 0).sum(axis=0)
        counted += seen.sum(axis=0)
    unseen = int((counted == 0).sum())
    if unseen:
        raise UnseenError(
            f"aum_training: {unseen} of {dynamics.examples} examples were trained on by none of the "
            f"{len(dynamics.seeds)} seeds: a schedule with validation holds some out, and `balance: sampler` leaves some out. Take "
            "another recipe for scoring, more seeds, or the metric `aum`"
        )
    return total / counted
