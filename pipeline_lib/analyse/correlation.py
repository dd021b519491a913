"""How much metrics agree."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from pipeline_lib.analyse.statistics import CONFIDENCE

FEWEST = 4  # examples; the variance of Fisher's z divides by n - 3
INTERVAL_COLUMNS = ("metric_a", "metric_b", "correlation", "low", "high")


def correlate(scores: dict[str, np.ndarray], method: str) -> pd.DataFrame:
    """Correlate every metric with every other.

    Args:
        scores: metric -> (N,) scores, all higher = harder, so agreement is positive.
        method: "pearson" or "spearman" (ties get their mean rank).

    Returns:
        Square table, metric names as index and columns, 1 on the diagonal; NaN where a metric is constant.
    """
    table = pd.DataFrame(scores).corr(method=method)
    table.index.name = "metric"
    return table


def intervals(scores: dict[str, np.ndarray], method: str) -> pd.DataFrame:
    """Correlate every pair of metrics, with two-sided 95% intervals by Fisher's z.

    The intervals cover the draw of the examples, given these trainings. They say nothing about what another ensemble would
    have scored: that is what `pipeline_lib.analyse.reliability` is for.

    Args:
        scores: metric -> (N,) scores, all higher = harder.
        method: "pearson" (variance of z: 1 / (N - 3)) or "spearman" ((1 + r^2 / 2) / (N - 3)).

    Returns:
        One row per pair with `INTERVAL_COLUMNS`, in the order of `scores`; NaN where a metric is constant, and no interval
        with fewer than four examples.

    Source: Bonett and Wright 2000, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations".
    """
    table = correlate(scores, method)
    pairs = list(combinations(scores, 2))
    r = np.array([table.loc[a, b] for a, b in pairs], dtype=np.float64).reshape(-1)
    low, high = _fisher(np.clip(r, -1, 1), len(next(iter(scores.values()))), method)
    columns = ([a for a, _ in pairs], [b for _, b in pairs], r, low, high)
    return pd.DataFrame(dict(zip(INTERVAL_COLUMNS, columns, strict=True)))


def _fisher(r: np.ndarray, examples: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    if examples < FEWEST:
        return np.full_like(r, np.nan), np.full_like(r, np.nan)
    variance = (1 if method == "pearson" else 1 + r**2 / 2) / (examples - 3)
    half = stats.norm.ppf(0.5 + CONFIDENCE / 2) * np.sqrt(variance)
    with np.errstate(divide="ignore"):  # of a correlation of 1 both ends are 1
        z = np.arctanh(r)
    return np.tanh(z - half), np.tanh(z + half)
