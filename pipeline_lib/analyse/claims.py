"""The claims of the thesis, each judged by a test on what was computed here.

A claim stands or falls with a difference and its 95% interval: supported if the whole interval lies on the claim's side of
a limit (0 unless the claim names another), contradicted if it lies on the other side, else undecided. Where a claim says two
things it needs both, and the row shows the numbers of the one that decides. Differences in accuracy are paired by training
seed, on the variant of the thesis: no class balancing, equal epochs.

"Some metric can do both" is judged by the metric that does best, with intervals that hold for all metrics at once
(`simultaneous_differences`: Bonferroni, one standard deviation pooled over the metrics, fewer degrees of freedom where a seed
moves all of them together). Where hard examples or large shares are left out, and wherever a metric is set beside another, only
those points count at which every class still has examples.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import pandas as pd

from pipeline_lib.analyse import area
from pipeline_lib.analyse.evidence import (
    CONTRADICTED,
    NOT_TESTED,
    SUPPORTED,
    UNDECIDED,
    Part,
    Sweeps,
    UntestedError,
    at,
    best_of,
    difference,
    mean,
    metrics_of,
    part,
    points_of,
    smallest,
    sweeps_of,
    whole_metrics,
    whole_points,
)
from pipeline_lib.analyse.noise import BEHIND
from pipeline_lib.analyse.sweeps import BASELINES
from pipeline_lib.errors import one_of

COLUMNS = ("claim", "thesis", "computed", "verdict", "difference", "low", "high", "runs")
THESIS_METRICS = ("el2n", "std", "pred_sum", "flip", "forget_raw", "km")  # forget_raw is what it calls forget
AGREEING = THESIS_METRICS[:4]  # those whose correlations it gives as .6 to .9
NOISE_FINDERS = ("el2n", "pred_sum")
ALMOST = 0.01  # of accuracy; the thesis calls a loss of one point (CIFAR-10, half pruned by flip) "almost" none
CARRIED = "el2n"  # from one network to another
AGREE = 0.6  # the smallest correlation that the thesis calls agreement
CHANCE = 0.5  # AUROC of a detector that knows nothing
HALF, FREE, STILL_BETTER = 0.5, 0.2, 0.35  # pruned shares that the thesis names
TOO_MUCH = (0.6, 0.7)  # pruned shares at which it finds every metric worse than random (CIFAR-100)
SEVERE = 0.3  # of accuracy: the smaller of the losses that it names
MUCH_LEFT, LITTLE_LEFT = 0.3, 0.7  # pruned shares up to, and from, which much, and little, data are left (chosen)
MIDDLE = 0.5  # where the window begins that the thesis finds best, before el2n and pred_sum fall


def judge(tables: Mapping[str, object]) -> pd.DataFrame:
    """Judge every claim whose tables are there.

    Args:
        tables: all optional: `prune_easiest`, `prune_hardest`, `sliding_window`, `clusters` and `noisy_sliding_window` (the
            same on wrong labels): metric or baseline -> rows of the sweep; `noise_detection`: as made by `noise.detect`;
            `correlation`: as made by `correlation.intervals`; `early`: correlation, low and high of the early with the final
            el2n of another ensemble (`correlation.between_ensembles`); `transfer`: as made by `diet.transferred`.

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
        except UntestedError as reason:
            rows.append((claim, thesis, str(reason), NOT_TESTED, *[float("nan")] * 3, None))
            continue
        verdicts = [part.verdict for part in parts]
        verdict = next((word for word in (CONTRADICTED, UNDECIDED) if word in verdicts), SUPPORTED)
        decisive = parts[verdicts.index(verdict)]
        numbers = (decisive.difference, decisive.low, decisive.high, decisive.runs)
        rows.append((claim, thesis, "; ".join(part.text for part in parts), verdict, *numbers))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"runs": "Int64"})


def _pruned_free(tables) -> list[Part]:
    return _best_at(sweeps_of(tables, "prune_easiest"), HALF, HALF)


def _pruned_better(tables) -> list[Part]:
    sweeps = sweeps_of(tables, "prune_easiest")
    points = [point for point in points_of(sweeps, metrics_of(sweeps, THESIS_METRICS)) if FREE <= point <= STILL_BETTER]
    if not points:
        raise UntestedError(f"no pruned share from {FREE} to {STILL_BETTER} was swept")
    return _best_at(sweeps, FREE, max(points))


def _best_at(sweeps: Sweeps, free: float, better: float) -> list[Part]:
    """Almost no loss at one pruned share, and better than random at another, by the same metric."""
    metrics = whole_metrics(sweeps, metrics_of(sweeps, THESIS_METRICS), [free, better])
    lossless = {metric: (at(sweeps, metric, free), at(sweeps, "full")) for metric in metrics}
    gains = {metric: (at(sweeps, metric, better), at(sweeps, "random", better)) for metric in metrics}
    return best_of(
        {f"less all data, {free:.0%} pruned": (lossless, -ALMOST), f"less random, {better:.0%} pruned": (gains, 0.0)},
    )


def _pruned_too_much(tables) -> list[Part]:
    sweeps = sweeps_of(tables, "prune_easiest")
    metrics = metrics_of(sweeps, THESIS_METRICS)
    shares = [share for share in whole_points(sweeps, metrics) if share in TOO_MUCH]
    if not shares:
        raise UntestedError(f"no pruned share of {one_of(TOO_MUCH)} was swept with examples of every class left")
    what = f"random less the mean of {len(metrics)} metrics, {_percents(shares)} of the easiest pruned"
    return [difference(mean(sweeps, ["random"], shares), mean(sweeps, metrics, shares), what)]


def _harder_is_better(tables) -> list[Part]:
    sweeps = sweeps_of(tables, "sliding_window")
    metrics = metrics_of(sweeps, THESIS_METRICS)
    easiest = min(whole_points(sweeps, metrics), default=MIDDLE)
    if easiest >= MIDDLE:
        raise UntestedError(f"no window before {MIDDLE} was swept with examples of every class left")
    what = f"window at {MIDDLE:.0%} less window at {easiest:.0%}, mean of {len(metrics)} metrics"
    rise = difference(mean(sweeps, metrics, [MIDDLE]), mean(sweeps, metrics, [easiest]), what)
    return [rise, _fall(sweeps, "")]


def _fall(sweeps: Sweeps, where: str) -> Part:
    """Whether el2n and pred_sum fall with the hardest windows."""
    metrics = metrics_of(sweeps, NOISE_FINDERS)
    last = max(whole_points(sweeps, metrics), default=MIDDLE)
    if last <= MIDDLE:
        raise UntestedError(f"no window after {MIDDLE} was swept with examples of every class left")
    what = f"window at {MIDDLE:.0%} less window at {last:.0%}{where}, mean of {one_of(metrics)}"
    return difference(mean(sweeps, metrics, [MIDDLE]), mean(sweeps, metrics, [last]), what)


def _easy_if_little(tables) -> list[Part]:
    easiest, hardest = sweeps_of(tables, "prune_easiest"), sweeps_of(tables, "prune_hardest")
    metrics = [metric for metric in metrics_of(easiest, THESIS_METRICS) if metric in hardest]
    if not metrics:
        raise UntestedError("no metric was swept in both prune_easiest and prune_hardest")
    both = sorted(set(whole_points(easiest, metrics)) & set(whole_points(hardest, metrics)))
    if not both or both[0] > MUCH_LEFT or both[-1] < LITTLE_LEFT:
        needed = f"a pruned share up to {MUCH_LEFT} and one from {LITTLE_LEFT} with examples of every class left"
        raise UntestedError(f"both directions need {needed}")
    much, little = both[0], both[-1]
    keep_easy, keep_hard = ([mean(sweeps, metrics, [share]) for share in (much, little)] for sweeps in (hardest, easiest))
    which = f"mean of {len(metrics)} metrics"
    return [
        difference(keep_easy[1], keep_hard[1], f"easy kept less hard kept, {little:.0%} pruned, {which}"),
        difference(keep_hard[0], keep_easy[0], f"hard kept less easy kept, {much:.0%} pruned, {which}"),
    ]


def _hard_needed(tables) -> list[Part]:
    sweeps = sweeps_of(tables, "prune_hardest")
    metrics = metrics_of(sweeps, THESIS_METRICS)
    share = max(whole_points(sweeps, metrics), default=0)
    if share < HALF:
        raise UntestedError(f"no pruned share from {HALF} was swept with examples of every class left")
    kept = mean(sweeps, metrics, [share])
    what = f"less the mean of {len(metrics)} metrics, {share:.0%} of the hardest pruned"
    # the loss alone says little: fewer examples cost accuracy whichever they are
    return [
        difference(at(sweeps, "random", share), kept, f"random {what}"),
        difference(at(sweeps, "full"), kept, f"all data {what}", SEVERE),
    ]


def _noise_found(tables) -> list[Part]:
    if "noise_detection" not in tables:
        raise UntestedError("no data set with known wrong labels was scored (noise_detection)")
    table = tables["noise_detection"].set_index("metric")
    lacking = [metric for metric in NOISE_FINDERS if metric not in table.index]
    if lacking:
        raise UntestedError(f"{one_of(lacking)} was not among the detectors")
    worse = table.loc[list(NOISE_FINDERS), ["auroc", "auroc_low", "auroc_high"]].min()
    behind = table.loc[list(NOISE_FINDERS), [BEHIND, f"{BEHIND}_low", f"{BEHIND}_high"]].astype(float)
    (a, a_low, a_high), (b, b_low, b_high) = behind.to_numpy()
    parts = [
        part(f"smaller AUROC of {one_of(NOISE_FINDERS)}", worse, CHANCE, points=False),
        # exact if one of the two is the best of all detectors (its interval is 0 to 0); otherwise wider than need be
        part(f"AUROC of {' less '.join(NOISE_FINDERS)}", (b - a, b_low - a_high, b_high - a_low), points=False),
    ]
    with suppress(UntestedError):  # a detector is judged by what it finds; the windows are further evidence
        parts.append(_fall(sweeps_of(tables, "noisy_sliding_window"), " on noisy labels"))
    return parts


def _metrics_agree(tables) -> list[Part]:
    pairs = _correlations(tables, AGREEING)
    least = pairs[["correlation", "low", "high"]].min()
    return [part(f"smallest of {len(pairs)} correlations (one network only)", least, AGREE, points=False)]


def _km_works(tables) -> list[Part]:
    sweeps = sweeps_of(tables, "prune_easiest")
    points = _thesis_shares(sweeps, metrics_of(sweeps, ("km",)))
    which = f"mean over {len(points)} pruned shares"
    gain = difference(mean(sweeps, ["km"], points), mean(sweeps, ["random"], points), f"km less random, {which}")
    clusters = tables.get("clusters", {})
    swept = [metric for metric in clusters if metric not in BASELINES]
    elbow = [metric for metric in swept if metric.endswith("_elbow")]  # km_prototypes_elbow
    others = [metric for metric in swept if metric not in elbow]
    if not elbow or not others:
        return [gain]
    points = _thesis_shares(clusters, swept)
    pairs = {metric: (mean(clusters, elbow[:1], points), mean(clusters, [metric], points)) for metric in others}
    return [gain, smallest(pairs, f"elbow less the best of {len(others)} other numbers of clusters", -ALMOST)]


def _thesis_shares(sweeps: Sweeps, metrics: list[str]) -> list[float]:
    """Return the shares that the thesis left out, as far as they were swept and left an example of every class."""
    return [point for point in whole_points(sweeps, metrics) if point in area.SHARES]


def _known_early(tables) -> list[Part]:
    if "early" not in tables:
        raise UntestedError("needs el2n_early and el2n of an ensemble of at least two seeds")
    what = "Pearson correlation of early el2n with the final one of another ensemble (estimate; interval over examples, not seeds)"
    return [part(what, tables["early"], AGREE, points=False)]


def _known_by_a_tiny_network(tables) -> list[Part]:
    table = tables.get("transfer", pd.DataFrame(columns=["metric", "scored_by"]))
    others = table[table["metric"] == CARRIED].drop_duplicates("scored_by").iloc[1:]  # the first is the data set's own
    if others.empty:
        raise UntestedError(f"needs the scores of other networks: {CARRIED} in `experiments.transfer`")
    least = others[["agreement", "agreement_low", "agreement_high"]].min()
    what = f"smallest rank correlation of {CARRIED} with that of other networks, smaller or not ({one_of(others['scored_by'])})"
    return [part(what, least, AGREE, points=False)]


def _correlations(tables, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Return the correlations among some metrics."""
    if "correlation" not in tables:
        raise UntestedError("no correlations were computed")
    table = tables["correlation"]
    pairs = table[table["metric_a"].isin(metrics) & table["metric_b"].isin(metrics)]
    if pairs.empty:
        raise UntestedError(f"no two of {one_of(metrics)} were scored")
    return pairs


def _percents(shares: list[float]) -> str:
    return " and ".join(f"{share:.0%}" for share in shares)


CLAIMS: tuple[tuple[str, str, Callable[[Mapping], list[Part]]], ...] = (
    ("half is enough", "Half of the easiest examples can go almost without loss; random pruning loses more", _pruned_free),
    ("a fifth is free", "A fifth of the easiest is free, and up to about a third beats random", _pruned_better),
    ("not too much", "Leaving out too many easy examples is worse than random", _pruned_too_much),
    ("harder is better", "Harder windows train better, but the hardest by el2n and pred_sum do not", _harder_is_better),
    ("little: easy, much: hard", "With little data keep the easy examples, with much keep the hard ones", _easy_if_little),
    ("hard ones are needed", "Hard examples cannot be left out: accuracy falls by 30 to 50 points", _hard_needed),
    ("noise is found", "el2n and pred_sum find wrong labels, el2n better", _noise_found),
    ("metrics agree", "The metrics correlate by .6 to .9, so difficulty belongs to the data", _metrics_agree),
    ("no labels needed", "Distance to clusters (km) works without labels; the elbow is a good number of clusters", _km_works),
    ("known early", "Difficulty is known early in training", _known_early),
    ("known by a tiny network", "Difficulty carries over from a tiny network", _known_by_a_tiny_network),
)
