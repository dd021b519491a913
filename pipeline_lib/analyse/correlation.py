"""How much metrics agree."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline_lib.analyse.statistics import bootstrap_interval
from pipeline_lib.rng import generator

FEWEST = 10  # examples (chosen): resamples of fewer are too much alike
RESAMPLES = 300  # the ends of a 95% interval then stand on 7 resamples each
CONSTANT = 1e-9  # a standard deviation this small beside the values is rounding
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


def intervals(scores: dict[str, np.ndarray], method: str, study_seed: int) -> pd.DataFrame:
    """Correlate every pair of metrics, with two-sided 95% percentile bootstrap intervals over the examples.

    Fisher's z, the usual interval, supposes normal variables; scores are skewed, and many metrics give most examples the same
    score. In every resample the examples are ranked anew. The intervals cover the draw of the examples, given these trainings.
    They say nothing about what another ensemble would have scored: that is what `pipeline_lib.analyse.reliability` is for.

    Args:
        scores: metric -> (N,) scores, all higher = harder.
        method: "pearson" or "spearman" (ties get their mean rank).
        study_seed: what the resamples derive from; all pairs are measured on the same ones.

    Returns:
        One row per pair with `INTERVAL_COLUMNS`, in the order of `scores`; NaN where a metric is constant, and no interval
        with fewer than ten examples.
    """
    table = correlate(scores, method)
    low, high = _bootstrap(scores, method, study_seed)
    rows = [(a, b, table.loc[a, b], low.loc[a, b], high.loc[a, b]) for a, b in combinations(scores, 2)]
    return pd.DataFrame(rows, columns=INTERVAL_COLUMNS)


def between_ensembles(
    one: Sequence[tuple[np.ndarray, np.ndarray]], other: Sequence[tuple[np.ndarray, np.ndarray]], longer: float, study_seed: int
) -> tuple[float, float, float]:
    """Estimate how a metric of one ensemble correlates (Pearson) with another metric of another ensemble, from one ensemble alone.

    The halves of the ensemble are strangers to each other, but smaller than it, and so their scores agree less. For scores that are
    means over seeds, with r the correlations between two halves (mean over splits; of both metrics, each with itself and with the
    other), the correlation between two whole ensembles is

        longer r(one, other) / sqrt( (1 + (longer - 1) r(one, one)) (1 + (longer - 1) r(other, other)) )

    Args:
        one, other: for each split, the (N,) scores by its two halves; at least one split.
        longer: seeds of the ensemble to those of a half.
        study_seed: what the resamples derive from.

    Returns:
        (correlation, low, high): the interval is two-sided 95%, by bootstrap over the examples: it leaves out what other seeds
        would have changed. NaN where a score is constant, or halves disagree; no interval with fewer than ten examples.

    Source: the formula of Spearman 1910 and Brown 1910, for two tests instead of one.
    """
    values = np.stack([score for pairs in zip(one, other, strict=True) for pair in pairs for score in pair], axis=1)
    values = values.astype(np.float64)

    def measure(draws: np.ndarray) -> float:
        table = _pearson(values, draws)
        found = [(table[at, at + 1], table[at + 2, at + 3], (table[at, at + 3] + table[at + 1, at + 2]) / 2) for at in firsts]
        of_one, of_other, across = np.mean(found, axis=0)
        spread = (1 + (longer - 1) * of_one) * (1 + (longer - 1) * of_other)
        return float(np.clip(longer * across / np.sqrt(spread), -1, 1)) if spread > 0 else np.nan

    firsts = range(0, values.shape[1], 4)
    estimate = measure(np.ones(len(values)))
    if len(values) < FEWEST or np.isnan(estimate):
        return estimate, np.nan, np.nan
    low, high = bootstrap_interval(measure, np.zeros(len(values)), RESAMPLES, generator(study_seed, "bootstrap", "correlation"))
    return estimate, float(low), float(high)


def _bootstrap(scores: dict[str, np.ndarray], method: str, study_seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the low and the high ends as square tables."""
    names, examples = list(scores), len(next(iter(scores.values())))
    varying = [name for name in names if np.ptp(scores[name]) > 0]
    if examples < FEWEST or not varying:
        nothing = pd.DataFrame(np.nan, names, names)
        return nothing, nothing
    values = np.stack([scores[name] for name in varying], axis=1).astype(np.float64)  # (N, M)
    levels = [np.unique(column, return_inverse=True)[1] for column in values.T]

    def measure(draws: np.ndarray) -> np.ndarray:
        if method == "pearson":
            return _pearson(values, draws)
        return _pearson(np.stack([_ranks(level, draws) for level in levels], axis=1), draws)

    rng = generator(study_seed, "bootstrap", "correlation")
    ends = bootstrap_interval(measure, np.zeros(examples), RESAMPLES, rng)
    low, high = (pd.DataFrame(end, varying, varying).reindex(index=names, columns=names) for end in ends)
    return low, high


def _ranks(levels: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return the mean rank (up to a constant) of every example among those drawn, from its level (0: the lowest score)."""
    drawn = np.bincount(levels, weights=draws)
    return (np.cumsum(drawn) - drawn / 2)[levels]


def _pearson(values: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Correlate the columns when every row counts as often as it was drawn; NaN for a column that is constant there."""
    weights = draws / draws.sum()
    centred = values - weights @ values
    covariance = (centred * weights[:, None]).T @ centred
    deviation = np.sqrt(np.diag(covariance))
    deviation = np.where(deviation > CONSTANT * np.abs(values).max(axis=0), deviation, np.nan)
    return np.clip(covariance / np.outer(deviation, deviation), -1, 1)
