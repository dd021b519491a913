"""How repeatable scores are: does another ensemble of the same recipe find the same examples hard?

The seeds of the ensemble are split into random halves, each half scores every example, and the two scores are correlated:

    r = Spearman correlation of the scores by the two halves, mean over splits
    whole ensemble: n r / (1 + (n - 1) r),  n = seeds of the ensemble / seeds of a half

The step up supposes that a score is a mean over seeds with errors that are the same for all examples. Counts and spreads over
seeds are not: for digits, between ensembles of ten seeds, it says .88 where `std` agrees to .86, .69 and .62 for `pred_sum`, .58
and .53 for `forget`, .67 and .60 for `student_teacher`, and is right to .03 for all others.

Source: Spearman 1910 and Brown 1910 for the step up from a half to the whole.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from pipeline_lib import dynamics, metrics
from pipeline_lib.analyse.statistics import CONFIDENCE
from pipeline_lib.dynamics import UnseenError
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator

COLUMNS = ("metric", "seeds", "splits", "half_mean", "half_low", "half_high", "full", "note")
ScoreOf = Callable[[Sequence[int]], np.ndarray]  # positions of seeds -> (N,) scores by these seeds alone


def scored_by_seeds(ensemble: dynamics.Dynamics, settings: dict) -> ScoreOf:
    """Return a function that scores all examples by some seeds of an ensemble.

    Args:
        ensemble: all of it.
        settings: of a metric: `function` and `parameters`; its `seeds`, if it names any, are overruled.
    """
    metric, until = metrics.load(settings["function"]), {"until": settings["parameters"].get("until")}
    known, own = dynamics.narrowed(ensemble, until), metrics.own(metric, settings["parameters"])
    return lambda seeds: metric.score(known.subset(seeds), **own)


class SplitHalf(NamedTuple):
    """Agreement between two halves of an ensemble.

    Attributes:
        mean, low, high: Spearman correlation between the halves, -1..1: mean over splits and the range of the middle 95% of
            them. The splits share seeds, so this is a spread over splits, not a confidence interval.
        full: the mean stepped up to the whole ensemble.
        splits: different splits that were looked at (four seeds have only three).
    """

    mean: float
    low: float
    high: float
    full: float
    splits: int


def split_half(score_of: ScoreOf, seeds: int, splits: int, rng: np.random.Generator) -> SplitHalf:
    """Correlate the scores of random halves of the ensemble.

    Args:
        score_of: scores all examples by some of the seeds, given by position: (N,) higher = harder.
        seeds: of the ensemble, at least 2; of an odd number one is left out of every split.
        splits: how many are drawn; a split that is drawn twice counts once.
        rng: draws them.

    Returns:
        NaN where a half gives every example the same score.
    """
    pairs = halves(seeds, splits, rng)
    mean, low, high = mean_and_range([rank_correlation(score_of(a), score_of(b)) for a, b in pairs])
    longer, full = seeds / (seeds // 2), float("nan")
    if mean >= 0:  # halves that disagree (r < 0) have no step up: the formula has a pole there
        full = longer * mean / (1 + (longer - 1) * mean)
    return SplitHalf(mean, low, high, full, len(pairs))


def halves(seeds: int, splits: int, rng: np.random.Generator) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return different splits of the seeds into two halves; of an odd number one is left out of every split.

    Args:
        seeds: at least 2.
        splits: how many are drawn; a split that is drawn twice counts once.
        rng: draws them.
    """
    half = seeds // 2
    drawn = (rng.permutation(seeds).tolist() for _ in range(splits))
    return list(dict.fromkeys(tuple(sorted((tuple(sorted(p[:half])), tuple(sorted(p[half : 2 * half]))))) for p in drawn))


def rank_correlation(a: np.ndarray | None, b: np.ndarray | None) -> float:
    """Return the Spearman correlation of two scores, NaN where one is missing or the same for every example."""
    if a is None or b is None or a.min() == a.max() or b.min() == b.max():
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)


def mean_and_range(values: Sequence[float]) -> tuple[float, float, float]:
    """Return (mean, low, high): the range is that of the middle 95%; NaN of nothing."""
    tail = 0.5 - CONFIDENCE / 2
    return (float(np.mean(values)), *map(float, np.quantile(values, [tail, 1 - tail]))) if len(values) else (np.nan,) * 3


def table(score_of: dict[str, ScoreOf], seeds: int, splits: int, study_seed: int) -> pd.DataFrame:
    """Measure every metric that is computed from the ensemble; all on the same splits.

    Args:
        score_of: metric -> function as in `split_half`.
        seeds: of the ensemble.
        splits: how many to draw.
        study_seed: what the splits derive from.

    Returns:
        One row per metric with `COLUMNS`; correlations NaN and the reason in `note` where nothing can be measured: fewer than
        two seeds, a metric that needs more seeds than a half has, or a half without any order.
    """
    rows = []
    for metric, scored_by in score_of.items():
        found, note = SplitHalf(*[float("nan")] * 4, 0), ""
        if seeds < 2:
            note = "an ensemble of one seed has no halves"
        else:
            try:
                found = split_half(scored_by, seeds, splits, generator(study_seed, "split halves"))
            except UnseenError as error:
                note = f"halves are too small ({error})"
            except PipelineError as error:
                if seeds // 2 > 1:
                    raise
                note = f"halves of one seed are too small ({error})"
        if not note and np.isnan(found.mean):
            note = "a half gives every example the same score"
        rows.append((metric, seeds, found.splits, found.mean, found.low, found.high, found.full, note))
    return pd.DataFrame(rows, columns=COLUMNS)
