"""How well the metrics find wrong labels, where it is known which labels are wrong.

Every metric ranks the examples from hardest to easiest; a good detector ranks the wrong labels first. Examples of equal score
count as in a random order among them: AUROC, precision and misses take the expected value, average precision takes the
precision at the end of the tie block, which is scikit-learn's convention. So the storage order never matters.

Intervals are bootstrap intervals over the examples, in which wrong and right labels are drawn apart: every resample has as many
wrong labels as the data set, whose share of them is known and no estimate.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.analyse.statistics import bootstrap_interval
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune.select import count
from pipeline_lib.rng import generator

PRECISION_AT = (0.01, 0.05, 0.1)  # shares of the examples that a person might look through
MEASURES = ("auroc", "average_precision", *(f"precision_at_{100 * share:.0f}" for share in PRECISION_AT), "missed")
BEHIND = "behind_best"  # so far below the largest AUROC
COLUMNS = (
    *("metric", *(f"{measure}{end}" for measure in (*MEASURES, BEHIND) for end in ("", "_low", "_high"))),
    *("examples", "wrong"),
)
RESAMPLES = 500  # the ends of a 95% interval then stand on 12 resamples each


def detect(scores: dict[str, np.ndarray], wrong: np.ndarray, study_seed: int) -> pd.DataFrame:
    """Measure how well every metric finds the wrong labels.

    Args:
        scores: metric -> (N,) higher = harder.
        wrong: (N,) bool, label known to be wrong.
        study_seed: what the resamples derive from; all metrics are measured on the same ones.

    Returns:
        One row per metric with `COLUMNS`: `auroc` (.5 = chance); `average_precision`, `precision_at_{1,5,10}` (share of wrong
        labels among the hardest 1, 5 and 10% of the examples; chance = share of wrong labels); `missed` (share of the wrong
        labels that are not among the hardest k, k = number of wrong labels: Pickler et al. 2025); `behind_best` (AUROC of the
        metric whose AUROC is largest, less this one's; 0 for itself). `_low` and `_high`: 95% percentile bootstrap over
        examples, which covers the draw of the examples, not of the trainings. All metrics are measured on the same resamples,
        so the interval of `behind_best` is that of a paired difference; which metric is best is not drawn anew.

    Raises:
        PipelineError: no label is wrong, or all are.
    """
    wrong = np.asarray(wrong, dtype=bool)
    if wrong.all() or not wrong.any():
        raise PipelineError(
            f"noise detection: {wrong.sum()} of {len(wrong)} labels are wrong, so there is nothing to tell apart. Choose a data "
            "set whose labels are partly wrong (`flip_labels` between 0 and 1); of an .npz whose labels are all right, set "
            "`true_labels: false`"
        )
    rankings = [_Ranking.of(score, wrong) for score in scores.values()]

    once = np.ones(len(wrong), dtype=np.int64)
    best = int(np.argmax([_measures(ranking, once)[0] for ranking in rankings]))

    def measure(draws: np.ndarray) -> np.ndarray:
        found = np.stack([_measures(ranking, draws) for ranking in rankings])
        return np.column_stack([found, found[best, 0] - found[:, 0]])

    values = measure(once)
    low, high = bootstrap_interval(measure, wrong, RESAMPLES, generator(study_seed, "bootstrap", "noise detection"))
    numbers = np.stack([values, low, high], axis=2).reshape(len(rankings), -1)
    rows = [(metric, *row, len(wrong), int(wrong.sum())) for metric, row in zip(scores, numbers, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class _Ranking:
    """Examples from hardest to easiest, in blocks of equal score.

    Attributes:
        order: (N,) positions.
        begins: (B,) where each block begins in the order.
        wrong: (N,) bool in the order.
    """

    order: np.ndarray
    begins: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, score: np.ndarray, wrong: np.ndarray) -> "_Ranking":
        order = np.argsort(-score, kind="stable")
        begins = np.flatnonzero(np.diff(score[order], prepend=np.inf))
        return cls(order, begins, wrong[order])


def _measures(ranking: _Ranking, draws: np.ndarray) -> np.ndarray:
    """Return the `MEASURES` when every example counts as often as it was drawn (of either kind some must be)."""
    drawn = draws[ranking.order]
    found = np.add.reduceat(drawn * ranking.wrong, ranking.begins)  # (B,) wrong labels in each block
    looked_at = np.cumsum(np.add.reduceat(drawn, ranking.begins))  # (B,) examples up to the end of each block
    found_so_far = np.cumsum(found)
    wrong, examples = int(found_so_far[-1]), int(looked_at[-1])
    right_so_far = looked_at - found_so_far
    right = np.diff(right_so_far, prepend=0)
    auroc = (found * (examples - wrong - right_so_far + right / 2)).sum() / (wrong * (examples - wrong))
    average_precision = (found * found_so_far / np.maximum(looked_at, 1)).sum() / wrong
    sizes = np.array([*(max(1, count(share, examples)) for share in PRECISION_AT), wrong])
    # a line through a tie block is the expected number of finds in a random order
    hits = np.interp(sizes, np.append(0, looked_at), np.append(0, found_so_far))
    return np.array([auroc, average_precision, *(hits / sizes)[:-1], 1 - hits[-1] / wrong])
