"""AUM: the label's lead in the logits, averaged over the training (area under the margin).

    score_i = - mean over seeds and epochs of ( z_{e,t,i,y} - max_{k != y} z_{e,t,i,k} )

Source: Pleiss et al. 2020. They read the margin off the augmented training batches as they pass and stop before the first
drop of the learning rate; here it is read off the clean pass after each of all epochs (`aum_training`: off the batches). High in
theirs is easy, here hard.
"""

import numpy as np

NEEDS = "dynamics"
FORMULA = "minus the mean over seeds and epochs of (logit of the label - largest other logit)"
RANGE = "any number; above 0: another class leads on average"


def score(dynamics) -> np.ndarray:
    """Return minus the mean margin of the label's logit, higher = harder.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples, C classes).

    Returns:
        (N,) float64.
    """
    total = np.zeros(dynamics.examples)
    for seed in dynamics.seeds:
        for epoch in range(dynamics.epochs):
            total -= lead(dynamics.logits(seed, epoch), dynamics.labels)
    return total / (len(dynamics.seeds) * dynamics.epochs)


def lead(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (N,) by how much the label's value exceeds the largest of the other classes: (N, C), (N,) int -> (N,)."""
    rows = np.arange(len(labels))
    own = values[rows, labels]
    values[rows, labels] = -np.inf  # and back: a copy of everything would take as long as all the rest
    lead = own - values.max(axis=1)
    values[rows, labels] = own
    return lead
