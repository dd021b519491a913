"""What pruning costs and when it pays: training on a subset is cheaper, but somebody had to score the examples first."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.statistics import NO_INTERVAL, share_interval, values_at
from pipeline_lib.analyse.sweeps import UNSCORED, VARIANT, class_counts, classes_kept, gained
from pipeline_lib.errors import PipelineError, one_of
from pipeline_lib.prune.store import CLOCKED


class Made(NamedTuple):
    """What the files of a folder are.

    Attributes:
        rule: makes them.
        trained: what they account for the speed of; None where nothing is trained.
        source: what scores take from them; None where no score does.
    """

    rule: str
    trained: str | None = None
    source: str | None = None


FOLDERS = {
    "dynamics": Made("train_seed", "ensemble", "ensemble"),
    "features": Made("train_swav", "SwAV", "features"),
    "clusters": Made("cluster", source="clusters"),
    "threshold": Made("train_threshold", "threshold"),
    "connectivity": Made("train_connectivity", "connectivity"),
    "kernels": Made("train_kernels", "kernel_velocity"),
}
PRICES = tuple(f"{made.source}_{unit}" for made in FOLDERS.values() if made.source for unit in ("seconds", "flops"))
COLUMNS = (
    *("metric", "balanced", "budget", "point", "kept_share", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("over_full_mean", "over_full_low", "over_full_high", "classes_missing"),
    *("training_seconds", "training_flops", "scoring_seconds", "scoring_flops", "total_seconds", "total_flops"),
    *("relative_cost", "trainings_to_break_even", *PRICES),
)
PARTS = tuple(name for name in CLOCKED if name.endswith("_seconds"))
ACCOUNT = ("images", "flops", *CLOCKED)
SPEED_COLUMNS = (
    *("what", "trainings", "images_per_second", "tflops_per_second", "share_of_peak"),
    *("data", "compute", "evaluation", "files", "seconds"),
)
TERA = 1e12


def price(
    paths: Iterable[str | Path],
    seeds: int | None = None,
    epochs: int | None = None,
    passes: int | None = None,
    whole_gradient: bool = False,
) -> dict[str, float]:
    """Return what a metric's scores would have taken alone: `PRICES`, 0 for sources that it does not use.

    Args:
        paths: files of an ensemble, or of features and of a clustering.
        seeds: the members of an ensemble that it reads; None: all.
        epochs: after which an ensemble could have ended; None: it needs all. What was trained and recorded later is not counted.
        passes: over the examples that it reads of an ensemble; None: one after each of these epochs. The others are not counted.
        whole_gradient: whether it reads the norm of the whole gradient, which no other metric needs.

    Returns:
        Per source the wall-clock seconds and the floating-point operations, both summed over its files.

    Raises:
        PipelineError: a file is missing or damaged.
    """
    prices = dict.fromkeys(PRICES, 0.0)
    for path in map(Path, list(paths)[:seeds]):
        made = FOLDERS[path.parent.name]
        with storage.open_h5(path, made.rule) as file:
            trained, read = _needed(len(file["logits"]), epochs, passes) if made.source == "ensemble" else (1, 1)
            for unit in ("seconds", "flops"):
                spent = trained * file.attrs[unit] + read * file.attrs.get(f"recording_{unit}", 0)
                if whole_gradient:
                    spent += file.attrs[f"grand_full_{unit}"] / len(file["grand_full_epochs"])
                prices[f"{made.source}_{unit}"] += float(spent)
    return prices


def _needed(recorded: int, epochs: int | None, passes: int | None) -> tuple[float, float]:
    """Return the shares of a training, and of the passes that record (one is before it), that a metric needs."""
    done = recorded if epochs is None else min(epochs, recorded)
    read = max(1, done) if passes is None else passes
    return done / recorded, read / (recorded + 1)


def accounts(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return what files of trainings say of their own speed, one row per file.

    Args:
        paths: files of an ensemble, of features, of trainings with threshold examples, of parting networks, of kernels.

    Returns:
        `what` was trained, and by their names in the files images, flops, the seconds by part, the device's peak.

    Raises:
        PipelineError: a file is missing or damaged.
    """
    rows = []
    for path in map(Path, paths):
        made = FOLDERS[path.parent.name]
        with storage.open_h5(path, made.rule) as file:
            rows.append({"what": made.trained} | {name: float(file.attrs[name]) for name in ACCOUNT})
    return pd.DataFrame(rows, columns=["what", *ACCOUNT])


def runs_of(sweeps: Mapping[str, Iterable[pd.DataFrame]]) -> pd.DataFrame:
    """Return what the trainings of sweeps say of their speed; one that several of them share counts for the first.

    Args:
        sweeps: experiment -> its sweeps, of which some may have trained nothing.

    Returns:
        One row per training that came to its end: `what` (the experiment), `ACCOUNT`.
    """
    columns = ["run", *ACCOUNT]
    rows = [sweep.reindex(columns=columns).assign(what=name) for name, tables in sweeps.items() for sweep in tables]
    runs = pd.concat(rows or [pd.DataFrame(columns=columns)])
    return runs.dropna(subset=["run"]).drop_duplicates("run").reindex(columns=["what", *ACCOUNT])


def speeds(trainings: pd.DataFrame) -> pd.DataFrame:
    """Sum up how fast trainings were and what their time went into.

    Args:
        trainings: one row each: `what` it belongs to, `ACCOUNT`.

    Returns:
        One row per `what` with `SPEED_COLUMNS`: training images per second of the loop (batches made, steps taken), 10^12
        floating-point operations per second of the same, their share of the matrix product that was measured beside the
        training (NaN if none was), the shares of the time in making batches, steps, evaluation and files, and all seconds together.
    """
    rows = []
    for what, group in trainings.groupby("what", sort=False):
        total = group[list(ACCOUNT)].sum()
        loop, parts = total["data_seconds"] + total["compute_seconds"], total[list(PARTS)]
        # each training's peak, by the time that it trained: they may have run on different machines, and some without a peak
        known = group[group["peak_flops_per_second"].notna()]
        attainable = ((known["data_seconds"] + known["compute_seconds"]) * known["peak_flops_per_second"]).sum()
        share = known["flops"].sum() / attainable if len(known) else np.nan
        rates = (total["images"] / loop, total["flops"] / loop / TERA, share)
        rows.append((what, len(group), *rates, *(parts / parts.sum()), parts.sum()))
    return pd.DataFrame(rows, columns=SPEED_COLUMNS)


def ledger(sweeps: dict[str, pd.DataFrame], scoring: pd.DataFrame) -> pd.DataFrame:
    """Add up what every pruned training cost, its scoring included.

    Args:
        sweeps: metric (or "random", "full") -> rows of prune_easiest: `point`, `balanced`, `budget`, `seed`, `kept`,
            `accuracy` (0..1), `seconds`, `flops`. "full" must be there.
        scoring: `metric` and `PRICES`: what had to be computed before the metric's scores were known, by source. One row per
            metric.

    Returns:
        One row per metric, balanced, budget and point with `COLUMNS`. Accuracies are shares with 95% t-intervals over the
        runs; `over_full` is the accuracy less that of all data, paired by seed; `classes_missing` as in a sweep's table. Seconds
        and floating-point operations are means of one training, those of scoring sums over the sources, which stand at the end one
        by one. Seconds are wall-clock time, so whatever else the machine did is in them; compare metrics by operations, which are
        the same on every machine. `relative_cost` is `total_flops` in units of one training on all data.
        `trainings_to_break_even` is how many trainings on the subset must share the scoring until they cost, together with it, as
        much arithmetic as the same number on all data; inf if the subset is not cheaper to train on (equal steps, all data).

    Raises:
        PipelineError: there are no trainings on all data, or the cost of a metric is not known.
    """
    if "full" not in sweeps:
        raise PipelineError("cost ledger: no runs of the baseline full, so there is nothing to compare with. Sweep it too")
    prices = scoring.set_index("metric", verify_integrity=True)[list(PRICES)]
    unknown = [metric for metric in sweeps if metric not in UNSCORED and metric not in prices.index]
    if unknown:
        raise PipelineError(f"cost ledger: no cost of scoring is given for {one_of(unknown)}; known: {one_of(prices.index)}")
    full = sweeps["full"]
    full_flops, examples, sizes = values_at(full, value="flops").mean(), full["kept"].max(), class_counts(full).max()
    rows = []
    for metric, sweep in sweeps.items():
        sources = pd.Series(0.0, index=PRICES) if metric in UNSCORED else prices.loc[metric]
        scoring_seconds, scoring_flops = (sources.filter(like=unit).sum() for unit in ("_seconds", "_flops"))
        for variant, runs in sweep.groupby([*VARIANT, "point"], dropna=False, sort=False):
            training_seconds, training_flops = runs["seconds"].mean(), runs["flops"].mean()
            total_flops, saved = training_flops + scoring_flops, full_flops - training_flops
            rows.append(
                (metric, *variant, runs["kept"].mean() / examples, len(runs), *share_interval(runs["accuracy"].to_numpy()))
                + (*(NO_INTERVAL if metric == "full" else gained(runs, full, "accuracy")), classes_kept(runs, sizes)[0])
                + (training_seconds, training_flops, scoring_seconds, scoring_flops)
                + (training_seconds + scoring_seconds, total_flops)
                + (total_flops / full_flops, scoring_flops / saved if saved > 0 else np.inf, *sources)
            )
    return pd.DataFrame(rows, columns=COLUMNS)
