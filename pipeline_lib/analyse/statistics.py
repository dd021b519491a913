"""Means with intervals over training seeds."""

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean and its two-sided 95% interval by Student's t.

    Args:
        values: (n,) one number per run. With a single run there is no interval: low and high are NaN.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return mean, mean - float(half), mean + float(half)


def share_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return `mean_interval` of shares (accuracies), cut off where no share can be: below 0 and above 1."""
    mean, low, high = mean_interval(values)
    return mean, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))
