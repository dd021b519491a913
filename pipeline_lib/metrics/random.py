"""Random: a seeded permutation, the order that knows nothing.

    score_i = position of example i in a random order, scaled to 0..1

What a metric must beat. The baseline of an experiment draws a fresh random subset per training seed instead.
"""

import numpy as np

NEEDS = "examples"
FORMULA = "position in a seeded random order, divided by the number of examples"
RANGE = "0 to 1"


def score(examples: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return a random order.

    Args:
        examples: how many there are.
        rng: source of the order.

    Returns:
        (N,) float64 in [0, 1), all different.
    """
    return rng.permutation(examples) / examples
