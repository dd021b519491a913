"""When difficulty can be told, and from what: agreement of scores and accuracy after pruning, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline_lib.analyse.correlation import intervals
from pipeline_lib.analyse.reliability import ScoreOf, halves, mean_and_range, rank_correlation
from pipeline_lib.analyse.statistics import CONFIDENCE
from pipeline_lib.analyse.sweeps import BASELINES, VARIANT, summarise
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator

AGREEMENT = ("agreement", "agreement_low", "agreement_high")
ACCURACY = (
    *("balanced", "budget", "point", "kept_share", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"),
    *("gain_mean", "gain_low", "gain_high", "classes_missing"),
)
SAME = "every example has the same score (by some seeds at least): no order to prune by"


def agreement(scores: dict[str, np.ndarray], with_: str, study_seed: int) -> dict[str, tuple[float, float, float]]:
    """Return the rank correlation (Spearman) of every score with one of them, and its 95% bootstrap interval over the examples.

    Args:
        scores: name -> (N,) higher = harder.
        with_: the name that the others are compared with.
        study_seed: what the resamples derive from.

    Returns:
        name -> (correlation, low, high); 1 without an interval for the name itself, NaN for a score that is the same for all.
    """
    table = intervals(scores, "spearman", study_seed)
    found = {with_: (1.0, np.nan, np.nan)}
    for row in table.to_dict("records"):
        if with_ in (row["metric_a"], row["metric_b"]):
            other = row["metric_b"] if row["metric_a"] == with_ else row["metric_a"]
            found[other] = (row["correlation"], row["low"], row["high"])
    return found


def foretold(
    score_of: Mapping[str, ScoreOf], names: Sequence[tuple[str, int, str]], seeds: int, splits: int, study_seed: int
) -> dict[str, tuple[float, float, float]]:
    """Correlate the early scores by one half of the seeds with the final scores by the other.

    What a training knows early is part of what it knows in the end, so that agreement within one ensemble is no evidence that
    difficulty is known early; the other half's trainings are strangers. At the last epoch this is the agreement of two halves
    (`reliability`), which no early score need reach.

    Args:
        score_of: name -> scores all examples by some of the seeds, given by position.
        names: (metric, epoch, name); the largest epoch of a metric is its last.
        seeds: of the ensemble.
        splits: into halves, drawn as those of `reliability`.
        study_seed: what the splits derive from.

    Returns:
        name -> (mean, low, high) of the rank correlation (Spearman): over the splits, each the mean of both directions, and the
        range of the middle 95% of them. NaN with a single seed, for halves too small for the metric, or of which one gives all
        examples the same score.
    """
    pairs = halves(seeds, splits, generator(study_seed, "split halves")) if seeds > 1 else []
    found = {}
    for metric in dict.fromkeys(of for of, _, _ in names):
        points = {epoch: name for of, epoch, name in names if of == metric}
        by_name = {name: [[_scored(score_of[name], half) for half in pair] for pair in pairs] for name in points.values()}
        final = by_name[points[max(points)]]
        for name, early in by_name.items():
            each = [
                np.mean([rank_correlation(one, other_end), rank_correlation(other, one_end)])
                for (one, other), (one_end, other_end) in zip(early, final, strict=True)
            ]
            found[name] = mean_and_range(each)
    return found


def against_epoch(
    sweeps: dict[str, pd.DataFrame],
    names: Sequence[tuple[str, int, str]],
    scores: dict[str, np.ndarray],
    norm: np.ndarray,
    agreed: Mapping[str, tuple[float, float, float]],
) -> pd.DataFrame:
    """Set side by side, for scores known after so many epochs: their agreement with the final ones, and accuracy after pruning.

    Args:
        sweeps: name, "input_norm", "random", "full" -> rows of its sweep.
        names: (metric, epoch, name of the score and the sweep); the largest epoch of a metric is its last.
        scores: name -> (N,).
        norm: (N,) the norm of the inputs.
        agreed: as made by `foretold`.

    Returns:
        One row per metric (or baseline), epoch, variant and share with `metric`, `epoch` (NaN for baselines), `AGREEMENT` with
        the same metric's final score by other seeds, `with_own_final` (rank correlation with that by the same seeds, all of
        them), `with_input_norm`, `ACCURACY` and `note`. A score that is the same for every example has one row without accuracy
        and the reason in `note`.
    """
    rows = []
    for metric in dict.fromkeys(metric for metric, _, _ in names):
        points = {epoch: name for of, epoch, name in names if of == metric}
        final = scores[points[max(points)]]
        for epoch, name in points.items():
            beside = {"metric": metric, "epoch": epoch} | dict(zip(AGREEMENT, agreed[name], strict=True))
            beside |= {"with_own_final": rank_correlation(scores[name], final)}
            rows.append((name, beside | {"with_input_norm": rank_correlation(scores[name], norm)}))
    rows += [(name, {"metric": name, "epoch": np.nan}) for name in ("input_norm", *BASELINES)]
    return _beside_accuracy(rows, sweeps, len(norm))


def against_seeds(
    sweeps: dict[str, pd.DataFrame], names: Sequence[tuple[str, int, str]], agreed: pd.DataFrame, examples: int
) -> pd.DataFrame:
    """Set side by side, for scores of so many seeds: their agreement with all and with the other seeds, and accuracy after pruning.

    Args:
        sweeps: name, "random", "full" -> rows of its sweep.
        names: (metric, number of seeds, name of the sweep).
        agreed: as made by `subset_agreement`.
        examples: size of the training set.

    Returns:
        One row per metric (or baseline), number and variant: the columns of `agreed`, `ACCURACY` and `note`.
    """
    found = {(row["metric"], row["number"]): row for row in agreed.to_dict("records")}
    rows = [(name, found[metric, number]) for metric, number, name in names]
    rows += [(name, {"metric": name, "number": np.nan}) for name in BASELINES]
    return _beside_accuracy(rows, sweeps, examples)


def subset_agreement(
    score_of: Mapping[str, ScoreOf], numbers: Mapping[str, Sequence[int]], seeds: int, subsets: int, study_seed: int
) -> pd.DataFrame:
    """Correlate the scores of some seeds with those of all, and with those of the others.

    A subset is part of the whole, so its agreement with the whole is no evidence by itself; the other seeds are strangers to it.

    Args:
        score_of: metric -> scores all examples by some of the seeds, given by position.
        numbers: metric -> of seeds in a subset.
        seeds: of the ensemble.
        subsets: drawn of each number; one that is drawn twice counts once. Of one seed, every seed is taken.
        study_seed: what the subsets derive from; all metrics see the same ones.

    Returns:
        One row per metric and number: `metric`, `number`, `subsets`; `whole_mean`, `whole_low`, `whole_high` (Spearman with all
        seeds: mean and the range of the middle 95% of the subsets) and `rest_...` with the seeds that are not in the subset (NaN
        of all seeds, or where the rest is too few for the metric).
    """
    rows, tail = [], 0.5 - CONFIDENCE / 2
    for metric, scored_by in score_of.items():
        everything = scored_by(range(seeds))
        for number in numbers[metric]:
            drawn = _subsets(seeds, number, subsets, study_seed)
            pairs = []
            for chosen in drawn:
                score, rest = scored_by(chosen), [seed for seed in range(seeds) if seed not in chosen]
                pairs.append((rank_correlation(score, everything), rank_correlation(score, _scored(scored_by, rest))))
            means = np.mean(pairs, axis=0)
            ends = np.quantile(pairs, [tail, 1 - tail], axis=0)
            rows.append((metric, number, len(drawn), *(value for side in (0, 1) for value in (means[side], *ends[:, side]))))
    columns = [f"{side}_{what}" for side in ("whole", "rest") for what in ("mean", "low", "high")]
    return pd.DataFrame(rows, columns=["metric", "number", "subsets", *columns])


def _subsets(seeds: int, number: int, subsets: int, study_seed: int) -> list[tuple[int, ...]]:
    """Return different subsets of the seeds; cut from permutations, so that as many as possible have no seed in common."""
    if number == 1:
        return [(seed,) for seed in range(seeds)]
    rng, found = generator(study_seed, "subsets of seeds", number), {}
    for _ in range(subsets):
        order = rng.permutation(seeds).tolist()
        found |= dict.fromkeys(tuple(sorted(order[begin : begin + number])) for begin in range(0, seeds - number + 1, number))
        if len(found) >= subsets:
            break
    return list(found)[:subsets]


def _scored(scored_by: ScoreOf, seeds: Sequence[int]) -> np.ndarray | None:
    """Return the scores by these seeds, None if they are too few."""
    if not seeds:
        return None
    try:
        return scored_by(seeds)
    except PipelineError:
        if len(seeds) > 1:
            raise
        return None


def transferred(
    sweeps: dict[str, pd.DataFrame], names: Sequence[tuple[str, str, str]], scores: dict[str, np.ndarray], study_seed: int
) -> pd.DataFrame:
    """Set side by side, for scores of several ensembles on the same data: how they agree, and accuracy after pruning by each.

    Args:
        sweeps: name, "random", "full" -> rows of its sweep.
        names: (metric, data set whose ensemble scored, name of the score and the sweep); the first of a metric is the data set's
            own.
        scores: name -> (N,).
        study_seed: what resamples derive from.

    Returns:
        One row per metric (or baseline), data set that scored, and variant: `metric`, `scored_by`, `AGREEMENT` with the first,
        `with_{data set}` (rank correlation with that one's score) for each, `ACCURACY` and `note`.
    """
    rows = []
    for metric in dict.fromkeys(metric for metric, _, _ in names):
        by = {dataset: name for of, dataset, name in names if of == metric}
        agreed = agreement({name: scores[name] for name in by.values()}, next(iter(by.values())), study_seed)
        for dataset, name in by.items():
            beside = {"metric": metric, "scored_by": dataset} | dict(zip(AGREEMENT, agreed[name], strict=True))
            beside |= {f"with_{other}": rank_correlation(scores[name], scores[theirs]) for other, theirs in by.items()}
            rows.append((name, beside))
    rows += [(name, {"metric": name, "scored_by": ""}) for name in BASELINES]
    return _beside_accuracy(rows, sweeps, len(next(iter(scores.values()))))


def gradients(scores: Mapping[int, dict[str, np.ndarray]], study_seed: int) -> pd.DataFrame:
    """Correlate the norm of the whole gradient with cheaper scores of the same epoch.

    Args:
        scores: epoch -> name of the score -> (N,); "grand_full" is the one that the others are compared with.
        study_seed: what resamples derive from.

    Returns:
        One row per epoch and other score: `epoch`, `metric`, `AGREEMENT` (Spearman, 95% bootstrap interval over the examples).
    """
    rows = []
    for epoch, values in scores.items():
        found = agreement(values, "grand_full", study_seed)
        rows += [(epoch, name, *found[name]) for name in values if name != "grand_full"]
    return pd.DataFrame(rows, columns=["epoch", "metric", *AGREEMENT])


def _beside_accuracy(rows: list[tuple[str, dict]], sweeps: dict[str, pd.DataFrame], examples: int) -> pd.DataFrame:
    """Return what is said of every sweep beside its accuracies: a row per variant and point, or one that says why there is none."""
    trained = {name: sweep for name, sweep in sweeps.items() if len(sweep)}
    accuracy = summarise(trained, examples)
    made = []
    for name, beside in rows:
        found = accuracy[accuracy["metric"] == name].sort_values([*VARIANT, "point"])
        made += [beside | {column: row[column] for column in ACCURACY} | {"note": ""} for row in found.to_dict("records")]
        if found.empty:
            made.append(beside | {"note": SAME})
    return pd.DataFrame(made).reindex(columns=[*dict.fromkeys(key for _, beside in rows for key in beside), *ACCURACY, "note"])
