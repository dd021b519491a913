"""What speaks for or against a claim: differences with intervals, taken from sweeps.

Differences in accuracy are paired by training seed, on the variant of the thesis: no class balancing, equal epochs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.analyse.statistics import DECIMALS, paired_difference, simultaneous_differences, values_at
from pipeline_lib.analyse.sweeps import class_counts
from pipeline_lib.errors import one_of

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTED = "supported", "contradicted", "undecided", "not tested"
STRENGTH = (CONTRADICTED, UNDECIDED, SUPPORTED)  # from the weakest
ENDS = ["difference", "low", "high"]

Sweeps = Mapping[str, pd.DataFrame]  # metric or baseline -> rows of its sweep
Pairs = Mapping[str, tuple[pd.Series, pd.Series]]  # metric -> two columns of numbers by seed, to be subtracted


class UntestedError(Exception):
    """What a claim needs is not there; the message says what."""


@dataclass(frozen=True)
class Part:
    """One thing that a claim says: that a difference is above a limit.

    Attributes:
        text: what was computed, in words.
        difference, low, high: positive speaks for the claim; shares (0..1), AUROCs or correlations.
        limit: what the claim puts it above.
        runs: training seeds behind it; None where the interval is over examples.
    """

    text: str
    difference: float
    low: float
    high: float
    limit: float = 0.0
    runs: int | None = None

    @property
    def verdict(self) -> str:
        """Where the whole interval lies."""
        if self.low > self.limit:
            return SUPPORTED
        return CONTRADICTED if self.high < self.limit else UNDECIDED


def part(what: str, numbers: Sequence[float], limit: float = 0.0, runs: int | None = None, points: bool = True) -> Part:
    """Put a difference into words.

    Args:
        what: is compared.
        numbers: difference, low, high.
        limit, runs: as in `Part`.
        points: accuracies, told in percentage points; else they are told as they are.
    """
    difference, low, high = map(float, numbers)
    number = (lambda value: f"{100 * value:+.1f}") if points else (lambda value: f"{value:+.3f}")
    interval = " (no interval)" if np.isnan(low) else f" [{number(low)}, {number(high)}]"
    bound = f", claimed above {number(limit)}" if limit else ""
    text = f"{what}: {number(difference)}{interval}{' points' if points else ''}{bound}"
    return Part(text, difference, low, high, limit, runs)


def difference(a: pd.Series, b: pd.Series, what: str, limit: float = 0.0) -> Part:
    """Return a - b, paired by seed."""
    *numbers, runs = paired_difference(a, b)
    return part(what, numbers, limit, runs)


def best_of(questions: Mapping[str, tuple[Pairs, float]]) -> list[Part]:
    """Return the parts of the metric that meets all of several limits best: one metric must meet them all.

    Supported if one metric is above every limit, contradicted if every metric is below some. As the best was picked among
    several, the intervals are those of `simultaneous_differences`.

    Args:
        questions: what is compared -> pairs by metric (the same metrics in all), limit.
    """
    tables = [(what, simultaneous_differences(pairs), limit) for what, (pairs, limit) in questions.items()]
    metrics = list(tables[0][1].index)
    candidates = [
        [
            part(f"{metric} (best of {len(metrics)}) {what}", table.loc[metric, ENDS], limit, int(table.loc[metric, "runs"]))
            for what, table, limit in tables
        ]
        for metric in metrics
    ]
    return max(candidates, key=_standing)


def _standing(parts: Sequence[Part]) -> tuple[list[int], float]:
    """Order candidates by their verdicts, the weakest first, then by how far they are above their limits."""
    return sorted(STRENGTH.index(one.verdict) for one in parts), min(one.difference - one.limit for one in parts)


def smallest(pairs: Pairs, what: str, limit: float = 0.0) -> Part:
    """Return the smallest of several differences, which lies between the smallest low and the smallest high end."""
    table = simultaneous_differences(pairs)
    return part(what, table[ENDS].min(skipna=False), limit, int(table["runs"].min()))


def sweeps_of(tables: Mapping[str, object], experiment: str) -> Sweeps:
    """Return the sweeps of an experiment; without it the claim is not tested (so with the functions below)."""
    if experiment not in tables:
        raise UntestedError(f"the experiment {experiment} was not made")
    return tables[experiment]


def metrics_of(sweeps: Sweeps, wanted: Sequence[str]) -> list[str]:
    """Return those of the wanted metrics that were swept."""
    found = [metric for metric in wanted if metric in sweeps]
    if not found:
        raise UntestedError(f"none of {one_of(wanted)} was swept")
    return found


def points_of(sweeps: Sweeps, metrics: Sequence[str]) -> list[float]:
    """Return the points that all metrics have."""
    return sorted(set.intersection(*(set(_rounded_points(sweeps[metric])) for metric in metrics)))


def whole_points(sweeps: Sweeps, metrics: Sequence[str]) -> list[float]:
    """Return the points that all metrics have and at which neither they nor random leave a class without an example.

    A class that is gone is always wrong: what its loss costs says nothing about which examples of a class are worth keeping.
    """
    gone = set().union(
        *(_points_without_a_class(sweeps[name], sweeps.get("full")) for name in (*metrics, "random") if name in sweeps)
    )
    return [point for point in points_of(sweeps, metrics) if point not in gone]


def whole_metrics(sweeps: Sweeps, metrics: Sequence[str], points: Sequence[float]) -> list[str]:
    """Return the metrics that leave an example of every class at all of these points."""
    whole = [metric for metric in metrics if set(points) & set(points_of(sweeps, [metric])) <= set(whole_points(sweeps, [metric]))]
    if not whole:
        raise UntestedError(
            f"by {one_of(metrics)} a class has no example left at {one_of(f'{point:g}' for point in sorted(set(points)))}"
        )
    return whole


def _points_without_a_class(runs: pd.DataFrame, full: pd.DataFrame | None) -> set[float]:
    """Return the points where a class has no example left in some run, but has in the trainings on all data."""
    runs = runs[~runs["balanced"] & (runs["budget"] == "epochs")]
    counts = class_counts(runs)
    if full is not None:
        counts = counts.loc[:, class_counts(full).max() > 0]
    return set(_rounded_points(runs[(counts == 0).any(axis=1)]))


def _rounded_points(runs: pd.DataFrame) -> pd.Series:
    return runs["point"].astype(float).round(DECIMALS)


def at(sweeps: Sweeps, metric: str, point: float | None = None) -> pd.Series:
    """Return the accuracies of a metric or baseline at a point, by seed."""
    values = values_at(sweeps[metric], point) if metric in sweeps else pd.Series(dtype=float)
    if values.empty:
        where = "" if point is None else f" at {point:g}"
        raise UntestedError(f"no run of {metric}{where} without class balancing and with equal epochs")
    return values


def mean(sweeps: Sweeps, metrics: Sequence[str], points: Sequence[float]) -> pd.Series:
    """Return the mean accuracy over metrics and points, by seed."""
    if not points:
        raise UntestedError(f"{one_of(metrics)} were not swept at the same points")
    columns = [at(sweeps, metric, point) for metric in metrics for point in points]
    return pd.concat(columns, axis=1).mean(axis=1, skipna=False)
