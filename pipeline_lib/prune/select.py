"""Selection rules: from scores to the positions of the kept examples.

Sizes are computed from the decimal notation of a share, so .57 and .58 never collide and 0.3 * 10 is 3.
"""

from fractions import Fraction

import numpy as np

from pipeline_lib.errors import PipelineError, one_of


def exact(share: float) -> Fraction:
    """Return a share as its decimal notation says: .57 is 57 hundredths."""
    return Fraction(str(share))


def count(share: float | Fraction, examples: int) -> int:
    """Return round(share * examples), exact in the decimal digits of `share`; halves go up."""
    return int(exact(share) * examples + Fraction(1, 2))


def apportion(share: float | Fraction, sizes: np.ndarray) -> np.ndarray:
    """Return how many to take of groups of the given sizes so that each gives the same share, to less than one example.

    The method of largest remainders: the sum is exactly `count(share, sum of sizes)`.

    Args:
        share: 0..1.
        sizes: (G,) number of examples in each group.

    Returns:
        (G,) int64.
    """
    quotas = [exact(share) * int(size) for size in sizes]
    taken = np.array([int(quota) for quota in quotas], dtype=np.int64)
    remainders = np.array([float(quota - int(quota)) for quota in quotas])
    missing = count(share, int(np.sum(sizes))) - taken.sum()
    taken[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return taken


def difficulty_order(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Order examples from easiest to hardest; ties fall at random, never in storage order.

    Args:
        scores: (N,) higher = harder.
        rng: breaks ties.

    Returns:
        (N,) positions.
    """
    return np.lexsort((rng.permutation(len(scores)), scores))


def window(order: np.ndarray, start: float | Fraction, size: float | Fraction, labels: np.ndarray | None = None) -> np.ndarray:
    """Keep the examples from `start` to `start + size` of the order.

    Pruning the easiest is the window that ends with the hardest, pruning the hardest the one that begins with the easiest.

    Args:
        order: (N,) positions, easiest first.
        start, size: shares of N.
        labels: (N,) classes; if given, every class has its own window, so that all keep the same share.

    Returns:
        Sorted positions, `count(size, N)` of them.

    Raises:
        PipelineError: the window is empty or leaves the data.
    """
    if count(size, len(order)) < 1 or exact(start) + exact(size) > 1:
        raise PipelineError(f"a window of {float(size):g} from {float(start):g} does not fit {len(order)} examples")
    groups = _groups(order, labels)
    sizes = np.array([len(group) for group in groups])
    kept = apportion(size, sizes)
    # from the ends: a class whose size and start are both rounded down would lose its hardest where the window ends with them
    first = np.maximum(apportion(exact(start) + exact(size), sizes) - kept, 0)
    return np.sort(np.concatenate([group[f : f + k] for group, f, k in zip(groups, first, kept, strict=True)]))


def stratified(
    scores: np.ndarray,
    size: float | Fraction,
    strata: int,
    cutoff: float,
    rng: np.random.Generator,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Keep a share that covers all difficulties: coverage-centric selection (Zheng et al. 2023).

    The hardest `cutoff` is dropped; the range of the other scores is cut into strata of equal width; the budget is dealt
    out evenly, the smallest stratum first, so that what a small one cannot give goes to the others; random inside.

    Args:
        scores: (N,) higher = harder.
        size: share of N kept.
        strata: how many.
        cutoff: share of N dropped as too hard (often mislabelled).
        rng: breaks ties and chooses inside the strata.
        labels: (N,) classes; if given, the rule is applied inside every class, with the same share of each.

    Returns:
        Sorted positions, `count(size, N)` of them.

    Raises:
        PipelineError: more is asked for than the cutoff leaves.
    """
    if count(size, len(scores)) < 1 or exact(size) + exact(cutoff) > 1:
        raise PipelineError(f"keeping {float(size):g} of {len(scores)} examples does not go with a cutoff of {cutoff:g}")
    groups = _groups(difficulty_order(scores, rng), labels)
    sizes = np.array([len(group) for group in groups])
    kept, dropped = apportion(size, sizes), apportion(cutoff, sizes)
    left = [group[: len(group) - min(drop, len(group) - keep)] for group, drop, keep in zip(groups, dropped, kept, strict=True)]
    return np.sort(np.concatenate([_from_strata(g, scores, k, strata, rng) for g, k in zip(left, kept, strict=True) if k]))


def _from_strata(group: np.ndarray, scores: np.ndarray, budget: int, strata: int, rng: np.random.Generator) -> np.ndarray:
    values = scores[group]
    edges = np.linspace(values.min(), values.max(), strata + 1)[1:-1]
    stratum = np.searchsorted(edges, values, side="right")
    members = sorted((group[stratum == number] for number in np.unique(stratum)), key=len)
    taken = []
    for position, stratum_members in enumerate(members):
        quota = min(len(stratum_members), budget // (len(members) - position))
        taken.append(rng.permutation(stratum_members)[:quota])
        budget -= quota
    return np.concatenate(taken)


def _groups(order: np.ndarray, labels: np.ndarray | None) -> list[np.ndarray]:
    """Split an order into those of the classes, or leave it whole."""
    return [order] if labels is None else [order[labels[order] == label] for label in np.unique(labels)]


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
            "learn what it never sees: keep more, or set `missing_classes: allow` in the experiment's section"
        )
