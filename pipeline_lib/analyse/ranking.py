"""Every example with every score and rank, and those whose label is probably wrong."""

import numpy as np
import pandas as pd

RULE = (
    "among the classes whose mean probability is at least what the examples of that class get on average, the most probable is "
    "not the given label (mean over seeds and epochs of the models that were trained on these labels)"
)
TOLERANCE = 1e-6  # a probability this close to its threshold reaches it: the mean of equal numbers may differ in the last digit


def likely_mislabelled(mean_probability: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the examples off the diagonal of the confident joint.

    With t_c the mean probability of class c over the examples labelled c, an example is flagged if the most probable class
    among those it reaches (probability of k >= t_k) is not its label. An example that reaches no class is not flagged.

    The probabilities are in-sample (averaged over the training, the models saw the labels), where the source asks for
    held-out ones: labels that were learnt by heart are missed.

    Args:
        mean_probability: (N, C) mean over seeds and epochs of the softmax.
        labels: (N,) integer given labels.

    Returns:
        flag: (N,) bool.
        suggested: (N,) int64, the other class where flagged, else the label itself.

    Source: Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
    """
    p, labels = np.asarray(mean_probability, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    given = p[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=p.shape[1])
    sums = np.bincount(labels, weights=given, minlength=p.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)  # a class without examples is never suggested
    reached = np.where(p >= thresholds - TOLERANCE, p, -np.inf)
    best = reached.argmax(axis=1)
    # where the label is as probable as the best other class there is no reason to doubt it
    flag = np.isfinite(reached.max(axis=1)) & (reached.max(axis=1) > reached[np.arange(len(labels)), labels])
    return flag, np.where(flag, best, labels)


def ranking(
    scores: dict[str, np.ndarray],
    labels: np.ndarray,
    class_names: list[str],
    source_id: list[str],
    flag: np.ndarray,
    rule: str,
    suggested: np.ndarray,
) -> pd.DataFrame:
    """Put everything that is known about every example into one table.

    Args:
        scores: metric -> (N,) higher = harder.
        labels: (N,) integer given labels.
        class_names: C names.
        source_id: N files, or positions in the source.
        flag: (N,) bool, label probably wrong.
        rule: why it was flagged, in words.
        suggested: (N,) integer class that the flagged probably belong to.

    Returns:
        One row per example in canonical order: `index`, `file`, `label` (class name); for every metric its score and
        `{metric}_rank` (1 = hardest, equal scores share their mean rank); `likely_mislabelled`, and where that is true
        `suggested_label` (class name) and `rule`, else empty.
    """
    names = np.asarray(class_names, dtype=object)
    columns = {"index": np.arange(len(labels)), "file": source_id, "label": names[labels]}
    for metric, score in scores.items():
        columns[metric] = score
        columns[f"{metric}_rank"] = pd.Series(score).rank(ascending=False, method="average").to_numpy()
    columns["likely_mislabelled"] = flag
    columns["suggested_label"] = np.where(flag, names[suggested], "")
    columns["rule"] = np.where(flag, rule, "")
    return pd.DataFrame(columns)
