"""The claims of the thesis, each judged by a test on what was computed here.

A claim stands or falls with a difference and its 95% interval: supported if the whole interval lies on the claim's side of
a limit (0 unless the claim names another), contradicted if it lies on the other side, else undecided. Where a claim says two
things it needs both, and the row shows the numbers of the one that decides. Differences in accuracy are paired by training
seed, on the variant of the thesis: classes as they fall, equal epochs.

"The best metric" is the largest of several differences. Each gets a Bonferroni interval (confidence 1 - 5% / metrics); the
largest then lies between the largest low and the largest high end, whichever metric it belongs to.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.analyse.statistics import CONFIDENCE, DECIMALS, paired_difference, values_at
from pipeline_lib.errors import one_of

COLUMNS = ("claim", "thesis", "computed", "verdict", "difference", "low", "high", "runs")
SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTED = "supported", "contradicted", "undecided", "not tested"
THESIS_METRICS = ("el2n", "std", "pred_sum", "flip", "forget_raw", "km")  # forget_raw is what it calls forget
AGREEING = THESIS_METRICS[:4]  # those whose correlations it gives as .6 to .9
NOISE_FINDERS = ("el2n", "pred_sum")
ALMOST = 0.01  # of accuracy; the thesis calls a loss of one point (CIFAR-10, half pruned by flip) "almost" none
EARLY_AND_LATE = ("el2n_early", "el2n")
AGREE = 0.6  # the smallest correlation that the thesis calls agreement
CHANCE = 0.5  # AUROC of a detector that knows nothing
HALF, FREE, STILL_BETTER, OVER = 0.5, 0.2, 0.35, 0.6  # pruned shares that the thesis names
MUCH_LEFT, LITTLE_LEFT = 0.3, 0.7  # pruned shares up to, and from, which much, and little, data are left (chosen)
MIDDLE = 0.5  # where the window begins that the thesis finds best, before el2n and pred_sum fall

Sweeps = Mapping[str, pd.DataFrame]
Pairs = Mapping[str, tuple[pd.Series, pd.Series]]  # metric -> two columns of numbers by seed, to be subtracted


class _UntestedError(Exception):
    """What a claim needs is not there; the message says what."""


@dataclass(frozen=True)
class _Part:
    """One thing that a claim says: that a difference is above a limit.

    Attributes:
        text: what was computed, in words.
        difference, low, high: positive speaks for the claim; shares (0..1) or correlations.
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
        if self.low > self.limit:
            return SUPPORTED
        return CONTRADICTED if self.high < self.limit else UNDECIDED


def judge(tables: Mapping[str, object]) -> pd.DataFrame:
    """Judge every claim whose tables are there.

    Args:
        tables: all optional: `prune_easiest`, `prune_hardest`, `sliding_window`, `clusters` and `noisy_sliding_window` (the
            same on wrong labels): metric or baseline -> rows of the sweep; `noise_detection`: as made by `noise.detect`;
            `correlation`: as made by `correlation.intervals`.

    Returns:
        One row per claim with `COLUMNS`: `claim` (a short name), `thesis` (what it says), `computed` (what was computed here),
        `verdict` (supported, contradicted, undecided, or not tested with the reason in `computed`), and the difference that
        decides with its interval: shares (0..1), AUROCs or correlations, positive = in favour; `runs` are training seeds,
        empty where the interval is over examples.
    """
    rows = []
    for claim, thesis, find in CLAIMS:
        try:
            parts = find(tables)
        except _UntestedError as reason:
            rows.append((claim, thesis, str(reason), NOT_TESTED, *[float("nan")] * 3, None))
            continue
        verdicts = [part.verdict for part in parts]
        verdict = next((word for word in (CONTRADICTED, UNDECIDED) if word in verdicts), SUPPORTED)
        decisive = parts[verdicts.index(verdict)]
        numbers = (decisive.difference, decisive.low, decisive.high, decisive.runs)
        rows.append((claim, thesis, "; ".join(part.text for part in parts), verdict, *numbers))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"runs": "Int64"})


def _pruned_free(tables) -> list[_Part]:
    return _best_at(_sweeps(tables, "prune_easiest"), HALF, HALF)


def _pruned_better(tables) -> list[_Part]:
    sweeps = _sweeps(tables, "prune_easiest")
    points = [point for point in _points(sweeps, _metrics(sweeps)) if FREE <= point <= STILL_BETTER]
    if not points:
        raise _UntestedError(f"no pruned share from {FREE} to {STILL_BETTER} was swept")
    return _best_at(sweeps, FREE, max(points))


def _best_at(sweeps: Sweeps, free: float, better: float) -> list[_Part]:
    """Almost no loss at one pruned share, and better than random at another."""
    metrics = _metrics(sweeps)
    lossless = {metric: (_at(sweeps, metric, free), _at(sweeps, "full")) for metric in metrics}
    gains = {metric: (_at(sweeps, metric, better), _at(sweeps, "random", better)) for metric in metrics}
    return [
        _extreme(np.max, lossless, f"best of {len(metrics)} metrics less all data, {free:.0%} pruned", -ALMOST),
        _extreme(np.max, gains, f"best of {len(metrics)} metrics less random, {better:.0%} pruned"),
    ]


def _pruned_too_much(tables) -> list[_Part]:
    sweeps = _sweeps(tables, "prune_easiest")
    metrics = _metrics(sweeps)
    share = max(_points(sweeps, metrics), default=0)
    if share < OVER:
        raise _UntestedError(f"no pruned share from {OVER} was swept")
    what = f"random less the mean of {len(metrics)} metrics, {share:.0%} of the easiest pruned"
    return [_difference(_at(sweeps, "random", share), _mean(sweeps, metrics, [share]), what)]


def _harder_is_better(tables) -> list[_Part]:
    sweeps = _sweeps(tables, "sliding_window")
    metrics = _metrics(sweeps)
    easiest = min(_points(sweeps, metrics), default=MIDDLE)
    if easiest >= MIDDLE:
        raise _UntestedError(f"no window before {MIDDLE} was swept")
    what = f"window at {MIDDLE:.0%} less window at {easiest:.0%}, mean of {len(metrics)} metrics"
    rise = _difference(_mean(sweeps, metrics, [MIDDLE]), _mean(sweeps, metrics, [easiest]), what)
    return [rise, _fall(sweeps, "")]


def _fall(sweeps: Sweeps, where: str) -> _Part:
    """Whether el2n and pred_sum fall with the hardest windows."""
    metrics = _metrics(sweeps, NOISE_FINDERS)
    last = max(_points(sweeps, metrics), default=MIDDLE)
    if last <= MIDDLE:
        raise _UntestedError(f"no window after {MIDDLE} was swept")
    what = f"window at {MIDDLE:.0%} less window at {last:.0%}{where}, mean of {one_of(metrics)}"
    return _difference(_mean(sweeps, metrics, [MIDDLE]), _mean(sweeps, metrics, [last]), what)


def _easy_if_little(tables) -> list[_Part]:
    easiest, hardest = _sweeps(tables, "prune_easiest"), _sweeps(tables, "prune_hardest")
    metrics = [metric for metric in _metrics(easiest) if metric in hardest]
    if not metrics:
        raise _UntestedError("no metric was swept in both prune_easiest and prune_hardest")
    both = sorted(set(_points(easiest, metrics)) & set(_points(hardest, metrics)))
    if not both or both[0] > MUCH_LEFT or both[-1] < LITTLE_LEFT:
        raise _UntestedError(f"both directions need a pruned share up to {MUCH_LEFT} and one from {LITTLE_LEFT}")
    much, little = both[0], both[-1]
    keep_easy, keep_hard = ([_mean(sweeps, metrics, [at]) for at in (much, little)] for sweeps in (hardest, easiest))
    mean = f"mean of {len(metrics)} metrics"
    return [
        _difference(keep_easy[1], keep_hard[1], f"easy kept less hard kept, {little:.0%} pruned, {mean}"),
        _difference(keep_hard[0], keep_easy[0], f"hard kept less easy kept, {much:.0%} pruned, {mean}"),
    ]


def _hard_needed(tables) -> list[_Part]:
    sweeps = _sweeps(tables, "prune_hardest")
    metrics = _metrics(sweeps)
    share = max(_points(sweeps, metrics), default=0)
    if share < HALF:
        raise _UntestedError(f"no pruned share from {HALF} was swept")
    kept = _mean(sweeps, metrics, [share])
    # the loss alone says little: fewer examples cost accuracy whichever they are
    loss = paired_difference(_at(sweeps, "full"), kept)[0]
    what = f"random less the mean of {len(metrics)} metrics, {share:.0%} of the hardest pruned ({100 * loss:.1f} below all data)"
    return [_difference(_at(sweeps, "random", share), kept, what)]


def _noise_found(tables) -> list[_Part]:
    if "noise_detection" not in tables:
        raise _UntestedError("no data set with known wrong labels was scored (noise_detection)")
    table = tables["noise_detection"].set_index("metric")
    lacking = [metric for metric in NOISE_FINDERS if metric not in table.index]
    if lacking:
        raise _UntestedError(f"{one_of(lacking)} was not among the detectors")
    ends = ["auroc", "auroc_low", "auroc_high"]
    worse = [float(value) for value in table.loc[list(NOISE_FINDERS), ends].min()]
    (a, a_low, a_high), (b, b_low, b_high) = (table.loc[metric, ends].astype(float) for metric in NOISE_FINDERS)
    parts = [
        _part(f"smaller AUROC of {one_of(NOISE_FINDERS)}", worse, CHANCE, points=False),
        # from one end of the one interval to the other end of the other: wider than a paired interval would be
        _part(f"AUROC of {' less '.join(NOISE_FINDERS)}", (a - b, a_low - b_high, a_high - b_low), points=False),
    ]
    with suppress(_UntestedError):  # a detector is judged by what it finds; the windows are further evidence
        parts.append(_fall(_sweeps(tables, "noisy_sliding_window"), " on noisy labels"))
    return parts


def _metrics_agree(tables) -> list[_Part]:
    if "correlation" not in tables:
        raise _UntestedError("no correlations were computed")
    table = tables["correlation"]
    pairs = table[table["metric_a"].isin(AGREEING) & table["metric_b"].isin(AGREEING)]
    if pairs.empty:
        raise _UntestedError(f"no two of {one_of(AGREEING)} were scored")
    least = [float(value) for value in pairs[["correlation", "low", "high"]].min()]
    return [_part(f"smallest of {len(pairs)} correlations (one network only)", least, AGREE, points=False)]


def _km_works(tables) -> list[_Part]:
    sweeps = _sweeps(tables, "prune_easiest")
    points = _points(sweeps, _metrics(sweeps, ("km",)))
    mean = f"mean over {len(points)} pruned shares"
    gain = _difference(_mean(sweeps, ["km"], points), _mean(sweeps, ["random"], points), f"km less random, {mean}")
    clusters = tables.get("clusters", {})
    swept = [metric for metric in clusters if metric not in ("random", "full")]
    elbow = [metric for metric in swept if metric.endswith("_elbow")]  # km_prototypes_elbow
    others = [metric for metric in swept if metric not in elbow]
    if not elbow or not others:
        return [gain]
    points = _points(clusters, swept)
    pairs = {metric: (_mean(clusters, elbow[:1], points), _mean(clusters, [metric], points)) for metric in others}
    return [gain, _extreme(np.min, pairs, f"elbow less the best of {len(others)} other numbers of clusters", -ALMOST)]


def _known_early(tables) -> list[_Part]:
    if "correlation" not in tables:
        raise _UntestedError("no correlations were computed")
    table = tables["correlation"]
    found = table[table["metric_a"].isin(EARLY_AND_LATE) & table["metric_b"].isin(EARLY_AND_LATE)]
    if found.empty:
        raise _UntestedError(f"{one_of(EARLY_AND_LATE)} were not both scored")
    numbers = found.iloc[0][["correlation", "low", "high"]].astype(float)
    what = "correlation of early with final el2n (whether it carries over to another network was not tested)"
    return [_part(what, numbers.tolist(), AGREE, points=False)]


CLAIMS: tuple[tuple[str, str, Callable[[Mapping], list[_Part]]], ...] = (
    ("half is enough", "Half of the easiest examples can go almost without loss; random pruning loses more", _pruned_free),
    ("a fifth is free", "A fifth of the easiest is free, and up to about a third beats random", _pruned_better),
    ("not too much", "Leaving out too many easy examples is worse than random", _pruned_too_much),
    ("harder is better", "Harder windows train better, but the hardest by el2n and pred_sum do not", _harder_is_better),
    ("little: easy, much: hard", "With little data keep the easy examples, with much keep the hard ones", _easy_if_little),
    ("hard ones are needed", "Hard examples cannot be left out: accuracy falls by 30 to 50 points", _hard_needed),
    ("noise is found", "el2n and pred_sum find wrong labels, el2n better", _noise_found),
    ("metrics agree", "The metrics correlate by .6 to .9, so difficulty belongs to the data", _metrics_agree),
    ("no labels needed", "Distance to clusters (km) works without labels; the elbow is a good number of clusters", _km_works),
    ("known early", "Difficulty is known early in training and carries over from a tiny network", _known_early),
)


def _sweeps(tables: Mapping[str, object], experiment: str) -> Sweeps:
    if experiment not in tables:
        raise _UntestedError(f"the experiment {experiment} was not made")
    return tables[experiment]


def _metrics(sweeps: Sweeps, wanted: Sequence[str] = THESIS_METRICS) -> list[str]:
    found = [metric for metric in wanted if metric in sweeps]
    if not found:
        raise _UntestedError(f"none of {one_of(wanted)} was swept")
    return found


def _points(sweeps: Sweeps, metrics: Sequence[str]) -> list[float]:
    """Return the points that all metrics have."""
    return sorted(set.intersection(*(set(sweeps[metric]["point"].astype(float).round(DECIMALS)) for metric in metrics)))


def _at(sweeps: Sweeps, metric: str, point: float | None = None) -> pd.Series:
    values = values_at(sweeps[metric], point) if metric in sweeps else pd.Series(dtype=float)
    if values.empty:
        where = "" if point is None else f" at {point:g}"
        raise _UntestedError(f"no run of {metric}{where} with classes as they fall and equal epochs")
    return values


def _mean(sweeps: Sweeps, metrics: Sequence[str], points: Sequence[float]) -> pd.Series:
    """Return the mean over metrics and points, per seed."""
    if not points:
        raise _UntestedError(f"{one_of(metrics)} were not swept at the same points")
    columns = [_at(sweeps, metric, point) for metric in metrics for point in points]
    return pd.concat(columns, axis=1).mean(axis=1, skipna=False)


def _difference(a: pd.Series, b: pd.Series, what: str) -> _Part:
    *numbers, runs = paired_difference(a, b)
    return _part(what, numbers, runs=runs)


def _extreme(pick: Callable, pairs: Pairs, what: str, limit: float = 0.0) -> _Part:
    """Return the largest or smallest of several differences with its simultaneous interval."""
    found = [paired_difference(a, b, 1 - (1 - CONFIDENCE) / len(pairs)) for a, b in pairs.values()]
    *columns, runs = zip(*found, strict=True)
    numbers = [float(pick(column)) for column in columns]  # NaN if one of them is
    return _part(what, numbers, limit, min(runs))


def _part(what: str, numbers: Sequence[float], limit: float = 0.0, runs: int | None = None, points: bool = True) -> _Part:
    """Put a difference into words: accuracies in percentage points, others as they are."""
    difference, low, high = numbers
    number = (lambda value: f"{100 * value:+.1f}") if points else (lambda value: f"{value:+.3f}")
    interval = f" [{number(low)}, {number(high)}]" if low == low else " (no interval)"
    bound = f", claimed above {number(limit)}" if limit else ""
    text = f"{what}: {number(difference)}{interval}{' points' if points else ''}{bound}"
    return _Part(text, difference, low, high, limit, runs)
