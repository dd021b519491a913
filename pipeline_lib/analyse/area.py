"""The area under test accuracy against the share of the easiest examples that was left out: one number per metric.

    area = Simpson's rule over shares .1, .2, ..., .7 of accuracy, divided by .6 and by the accuracy on all data

so 1 means: as good as all data, whatever is left out. Every training seed gives its own area, with all data of the same seed.

Source: the thesis (its tables are reproduced in the tests). It had one run per point; the seeds and intervals are ours.
"""

import numpy as np
import pandas as pd
from scipy.integrate import simpson

from pipeline_lib.analyse.shares import AREA_SHARES as SHARES
from pipeline_lib.analyse.statistics import DECIMALS, mean_interval, paired_difference, values_at
from pipeline_lib.analyse.sweeps import BALANCING, BASELINES, REPEATED, VARIANT
from pipeline_lib.errors import PipelineError, one_of

COLUMNS = (
    *("metric", "balanced", "budget", "runs", "area_mean", "area_low", "area_high"),
    *("gain_mean", "gain_low", "gain_high", "verdict"),
)
BETTER, WORSE, UNDECIDED, BASELINE = "better than random", "worse than random", "no difference shown", "baseline"


def areas(sweeps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Compute the area of every metric, and its difference to random pruning.

    Args:
        sweeps: metric (or "random", "full") -> rows of prune_easiest: `point`, `balanced`, `budget`, `seed`, `accuracy`
            (0..1). "random" and "full" must be there.

    Returns:
        One row per metric, "random" and "repeated_random", balanced and budget with `COLUMNS`; area 1 = as on all data. Gains
        are differences to random with the same balanced and budget, paired by seed. Intervals: 95% by Student's t; `verdict` is
        "no difference shown" where the gain's interval holds 0 or there is none (a single run).

    Raises:
        PipelineError: a baseline, some of `SHARES`, or all data of a seed are missing.
    """
    lacking = [name for name in BASELINES if name not in sweeps]
    if lacking:
        raise PipelineError(f"areas under prune_easiest: no runs of the baseline {one_of(lacking)}. Sweep it with the metrics")
    full = values_at(sweeps["full"])
    by_variant = {
        (metric, balanced, budget): _areas_by_seed(runs, full, f"{metric}, balanced {balanced}, budget {budget}")
        for metric, sweep in sweeps.items()
        if metric != "full"
        for (balanced, budget), runs in sweep.groupby(VARIANT, sort=False)
    }
    rows = []
    for (metric, balanced, budget), area in by_variant.items():
        random = by_variant.get(("random", balanced, budget), pd.Series(dtype=float)) if metric != "random" else area[:0]
        gain, low, high, _ = paired_difference(area, random)
        verdict = BASELINE if metric == "random" else BETTER if low > 0 else WORSE if high < 0 else UNDECIDED
        rows.append((metric, balanced, budget, len(area), *mean_interval(area.to_numpy()), gain, low, high, verdict))
    return pd.DataFrame(rows, columns=COLUMNS)


def _areas_by_seed(runs: pd.DataFrame, full: pd.Series, what: str) -> pd.Series:
    """Return the area of every training seed."""
    curves = runs.assign(point=runs["point"].astype(float).round(DECIMALS)).pivot(index="seed", columns="point", values="accuracy")
    curves = curves.reindex(columns=list(SHARES))
    lacking = [share for share in SHARES if curves[share].isna().any()]
    if lacking:
        raise PipelineError(
            f"area under prune_easiest of {what}: no accuracy at the pruned share {one_of(lacking)}. The area needs "
            f"{one_of(SHARES)} of every seed: set `experiments.prune_easiest.shares` in config.yaml"
        )
    unpaired = curves.index.difference(full.index)
    if len(unpaired):
        raise PipelineError(
            f"area under prune_easiest of {what}: no training on all data of seed {one_of(unpaired)}. Sweep `full` with the "
            "same `seeds`"
        )
    span = SHARES[-1] - SHARES[0]
    return pd.Series(simpson(curves.to_numpy(), x=np.array(SHARES), axis=1) / span, curves.index) / full.loc[curves.index]


def sentence(table: pd.DataFrame) -> str:
    """Say which metrics differ from random and by how much, one sentence per variant of the rule.

    Args:
        table: as made by `areas`.
    """
    sentences = []
    metrics = table[(table["verdict"] != BASELINE) & (table["metric"] != REPEATED)]
    for variant, rows in metrics.groupby(VARIANT, sort=False):
        ordered = rows.sort_values("gain_mean", ascending=False)
        groups = [(verdict, ordered[ordered["verdict"] == verdict]) for verdict in (BETTER, WORSE, UNDECIDED)]
        parts = [f"{_counted(verdict, len(group))} ({one_of(_gains(group))})" for verdict, group in groups if len(group)]
        runs = int(rows["runs"].min())
        note = f"{runs} runs each, paired by seed; 95% intervals, not corrected for the number of metrics"
        note = note if runs > 1 else "A single run each, so no intervals"
        opening = f"Area under the pruning curve ({rule_in_words(*variant)}) of {len(rows)} metrics less that of random pruning"
        sentences.append(f"{opening}: {'; '.join(parts)}. {note}.")
    return " ".join(sentences)


def rule_in_words(balanced: bool, budget: str) -> str:
    """Say what sets one variant of a pruning rule apart from the others."""
    return f"{BALANCING[balanced]}, as many {budget} as on all data"


def _counted(verdict: str, metrics: int) -> str:
    return f"{verdict} for {metrics}" if verdict == UNDECIDED else f"{metrics} {verdict}"


def _gains(group: pd.DataFrame) -> list[str]:
    """Return name, difference and interval of each metric; of those that show no difference only the name."""
    if group["verdict"].iloc[0] == UNDECIDED:
        return group["metric"].tolist()
    return [f"{row.metric} {row.gain_mean:+.3f} [{row.gain_low:+.3f}, {row.gain_high:+.3f}]" for row in group.itertuples()]
