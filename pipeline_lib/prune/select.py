"""Selection rules: from scores to the positions of the kept examples.

Sizes are computed from the decimal notation of a share, so .57 and .58 never collide and 0.3 * 10 is 3.
"""

from fractions import Fraction

import numpy as np

from pipeline_lib.errors import PipelineError, one_of


def count(share: float, examples: int) -> int:
    """Return round(share * examples), exact in the decimal digits of `share`; halves go up."""
    return int(Fraction(str(share)) * examples + Fraction(1, 2))


def difficulty_order(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Order examples from easiest to hardest; ties fall at random, never in storage order.

    Args:
        scores: (N,) higher = harder.
        rng: breaks ties.

    Returns:
        (N,) positions.
    """
    return np.lexsort((rng.permutation(len(scores)), scores))


def window(order: np.ndarray, start: float, size: float) -> np.ndarray:
    """Keep the examples from `start` to `start + size` of the order.

    Args:
        order: (N,) positions, easiest first.
        start, size: shares of N.

    Returns:
        Sorted positions, `count(size, N)` of them.

    Raises:
        PipelineError: the window is empty or leaves the data.
    """
    first, kept = count(start, len(order)), count(size, len(order))
    if kept < 1 or Fraction(str(start)) + Fraction(str(size)) > 1:
        raise PipelineError(f"a window of {size} from {start} does not fit {len(order)} examples")
    first = min(first, len(order) - kept)  # both may have been rounded up
    return np.sort(order[first : first + kept])


def random_subset(examples: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Keep a random share of the examples: sorted positions, `count(size, N)` of them."""
    return np.sort(rng.permutation(examples)[: count(size, examples)])


def require_all_classes(kept: np.ndarray, labels: np.ndarray, class_names: list[str], what: str) -> None:
    """Refuse a subset in which a class has vanished.

    Args:
        kept: positions.
        labels: (N,) of the whole training set.
        class_names: for the message.
        what: which subset this is, for the message.

    Raises:
        PipelineError: a class of the training set has no example in the subset.
    """
    gone = np.setdiff1d(labels, labels[kept])
    if len(gone):
        raise PipelineError(
            f"{what}: no example of class {one_of(class_names[c] for c in gone)} is left among {len(kept)} kept. A model cannot "
            "learn what it never sees: choose a larger `size`, or set `missing_classes: allow` in the experiment's section"
        )
