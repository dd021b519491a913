"""Recorded trainings for the tests of metrics: one ensemble small enough to work out by hand, and invented ones."""

import numpy as np

from pipeline_lib import metrics
from pipeline_lib.dynamics import Dynamics

LABELS = np.array([0, 1, 2, 0])
# after the last epoch: (seed, example, class); after the first every probability is 1/3
LAST = [
    [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.6, 0.3, 0.1), (0.9, 0.05, 0.05)],
    [(0.8, 0.1, 0.1), (0.25, 0.5, 0.25), (0.6, 0.3, 0.1), (0.3, 0.4, 0.3)],
    [(0.8, 0.1, 0.1), (0.25, 0.25, 0.5), (0.6, 0.3, 0.1), (0.9, 0.05, 0.05)],
]
PREDICTED = [  # (seed, epoch, example)
    [[0, 1, 0, 1], [0, 0, 0, 0]],
    [[0, 1, 1, 1], [0, 1, 0, 1]],
    [[1, 1, 0, 1], [0, 2, 0, 0]],
]
GRAND = [  # (seed, epochs trained, example)
    [[9, 9, 9, 9], [2, 2, 2, 2], [1, 2, 3, 4]],
    [[9, 9, 9, 3], [2, 2, 2, 5], [1, 2, 6, 4]],
    [[9, 9, 9, 3], [2, 2, 2, 5], [1, 5, 3, 4]],
]
FULL = [  # (seed, epochs trained, example)
    [[8, 8, 8, 8], [3, 3, 3, 3], [2, 4, 6, 8]],
    [[8, 8, 8, 8], [3, 3, 3, 3], [2, 4, 6, 2]],
    [[8, 8, 8, 8], [3, 3, 3, 6], [2, 7, 6, 2]],
]
DISTANCE = [[1, 2, 3, 4], [1, 2, 3, 7], [1, 2, 9, 4]]  # (seed, example)

HELD_OUT = (np.nan, np.nan)
TRAINING = [  # (seed, epoch, example): logit of the label, best other logit
    [[(1, 0), (0, 1), (2, 2), (1, 0)], [(3, 0), (0, 1), (2, 5), HELD_OUT]],
    [[(1, 0), (0, 2), (2, 2), HELD_OUT], [(3, 1), (0, 1), (2, 5), HELD_OUT]],
    [[(1, 1), (0, 3), (2, 2), (1, 4)], [(3, 0), (0, 1), (2, 5), (9, 4)]],
]


def by_hand() -> Dynamics:
    """3 seeds x 2 epochs x 4 examples x 3 classes."""
    seeds = [
        {
            "logits": np.log(np.stack([np.full((4, 3), 1 / 3), np.array(last)])),
            "prediction": np.array(predicted, dtype=np.int16),
            "initial": np.zeros((4, 3)),
            "grand": np.array(grand, dtype=np.float32),
            "grand_full": np.array(full, dtype=np.float32),
            "grand_full_epochs": np.arange(3),
            "prototype_distance": np.array(distance, dtype=np.float32),
            "training_logits": np.array(training, dtype=np.float32),
        }
        for last, predicted, grand, full, distance, training in zip(LAST, PREDICTED, GRAND, FULL, DISTANCE, TRAINING, strict=True)
    ]
    return Dynamics(seeds, LABELS)


def invented(examples=200, seeds=4, epochs=5, classes=6, seed=0, order=None) -> Dynamics:
    """Random logits; `order` chooses and arranges the examples."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(seeds, epochs, examples, classes)) * 3
    grand = rng.random((seeds, epochs + 1, examples))
    distance = rng.random((seeds, examples))
    training = rng.normal(size=(seeds, epochs, examples, 2))
    order = np.arange(examples) if order is None else order
    return Dynamics(
        [
            {
                "logits": z[:, order],
                "prediction": z[:, order].argmax(axis=2).astype(np.int16),
                "initial": z[0, order] / 2,
                "grand": g[:, order],
                "grand_full": 2 * g[:, order],
                "grand_full_epochs": np.arange(epochs + 1),
                "prototype_distance": d[order],
                "training_logits": t[:, order],
                "test_logits": z[:, :3],  # no metric looks at them
            }
            for z, g, d, t in zip(logits, grand, distance, training, strict=True)
        ],
        labels[order],
    )


def of_logits(logits, labels) -> Dynamics:
    """Dynamics of (seed, epoch, example, class) logits and what follows from them alone, as if nothing was augmented."""
    labels, seeds = np.asarray(labels), []
    for z in np.asarray(logits, dtype=float):
        own = np.arange(z.shape[2]) == labels[:, None]
        training = np.stack([z[:, own], np.where(own, -np.inf, z).max(axis=2)], axis=2)
        seeds.append({"logits": z, "prediction": z.argmax(axis=2), "training_logits": training})
    return Dynamics(seeds, labels)


def of_label_probabilities(trajectories) -> Dynamics:
    """One seed, two classes, every label 0: (example, epoch) probability of the label."""
    p = np.asarray(trajectories, dtype=float).T
    with np.errstate(divide="ignore"):
        return of_logits([np.maximum(np.log(np.stack([p, 1 - p], axis=2)), -1e4)], np.zeros(p.shape[1], dtype=int))


def score(name, dynamics, **parameters):
    """Scores by the metric's file."""
    return metrics.load(name).score(dynamics, **parameters)
