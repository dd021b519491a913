"""Every example with every score and rank, and those whose label is probably wrong."""

import numpy as np
import pandas as pd

LEAD = 4  # times as probable as the given label; measured on digits_noisy and cifar10_small_noisy (docs/results.md)
HESITANT, BY_HEART = 0.8, 0.97  # of the given labels that the ensemble predicts: fewer and more come with a caution (chosen)
MOST_OF_A_CLASS, A_FEW = 1 / 3, 2  # of a class that is doubted: more, and more labels than a few (chosen)
MANY, TIMES = 0.1, 3  # of all labels, and times as many as the fixed rule doubts: too many for a learned cut-off (chosen)
AND_RULE = "; "  # between the rules that flagged one example
RULE = (
    f"another class is at least {LEAD} times as probable as the given label (mean over seeds and epochs of the models that were "
    "trained on these labels)"
)


def likely_mislabelled(mean_probability: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the examples whose average probability is led far by another class: `margin` is at least log of `LEAD`.

    The probabilities are in-sample, the models saw the labels. The average over the epochs reaches back to before a wrong label
    is learnt by heart, and there the other class leads. A small lead is no reason to doubt: hesitant networks have it for many
    right labels.

    The usual alternative, the confident joint of Northcutt, Jiang and Chuang 2021, "Confident Learning", was tried: a class
    counts only where it gets at least the probability that its own examples get on average. With in-sample probabilities these
    thresholds are too high on easy data and too low on hard data.

    Args:
        mean_probability: (N, C) mean over seeds and epochs of the softmax.
        labels: (N,) integer given labels.

    Returns:
        flag: (N,) bool.
        suggested: (N,) int64, the leading class where flagged, else the label itself.

    Source: Pickler et al. 2025, whose comparison of label-error detectors the margin of the average probability led.
    """
    other, lead = leads(mean_probability, labels)
    flag = lead >= LEAD
    return flag, np.where(flag, other, np.asarray(labels, dtype=np.int64))


def leads(mean_probability: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the class that speaks most against each label, and how far it leads; arguments as above.

    Returns:
        other: (N,) int64, the most probable class that is not the label.
        lead: (N,) float64, its probability over that of the label: above 1, the label is not the most probable class; inf
            where the label has none.
    """
    p, labels = np.array(mean_probability, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    rows = np.arange(len(labels))
    own = p[rows, labels]
    p[rows, labels] = -1
    other = p.argmax(axis=1)
    with np.errstate(divide="ignore"):
        return other, p[rows, other] / own


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


def below_cut_off(table: pd.DataFrame, votes: pd.DataFrame, percentile: float, other: np.ndarray) -> pd.DataFrame:
    """Add what the threshold examples say of every label to a ranking.

    Args:
        table: as made by `ranking`.
        votes: as made by `pipeline_lib.analyse.threshold.votes`.
        percentile: of the threshold examples' AUM that is the cut-off.
        other: (N,) class name that the ensemble finds most probable beside the label: suggested where nothing else is.

    Returns:
        The table with `below_threshold` (bool) and `threshold_votes` (share of the trainings against the label, 0..1) before the
        rule, which says of both flags why they were set, the reasons separated by `AND_RULE`.
    """
    flag = votes["below_threshold"].to_numpy(dtype=bool)
    words = (
        f"its AUM is no higher than {percentile:g}% of the threshold examples', which have a class that nothing supports (more "
        "than half of the trainings with threshold examples)"
    )
    suggested = np.where(flag & ~table["likely_mislabelled"], other, table["suggested_label"])
    found = table.assign(suggested_label=suggested, below_threshold=flag, threshold_votes=votes["votes"].to_numpy())
    rule = found.pop("rule")
    both = np.where((rule != "") & flag, AND_RULE, "")
    return found.assign(rule=rule + both + np.where(flag, words, ""))


def cautions(table: pd.DataFrame) -> list[str]:
    """Say where doubts are to be trusted less, in sentences.

    Args:
        table: `label`, `belief` (the ensemble's class in the end) and `likely_mislabelled` of all N examples; `below_threshold`
            where there is a learned cut-off.
    """
    label, belief = table["label"].astype(str), table["belief"].astype(str)  # read from a table, a name may have become a number
    fit, found = float((belief == label).mean()), []
    if fit < HESITANT:
        found.append(
            f"The networks predict only {fit:.0%} of the given labels in the end. Either many labels are wrong, or many doubts are "
            "of images that they find hard, and a scoring recipe that learns more may help. The clearest doubts come first"
        )
    if fit > BY_HEART:
        found.append(
            f"The networks predict {fit:.1%} of the given labels in the end. If some are wrong they have learned these by heart, "
            "and doubt few of them: go by the order, beyond what is flagged, or let the ensemble have fewer epochs "
            "(`ensemble.epochs`)"
        )
    for name, of_class in table.groupby(label, sort=False)["likely_mislabelled"]:
        if of_class.sum() > A_FEW and of_class.mean() > MOST_OF_A_CLASS:
            found.append(
                f"{of_class.sum():,} of the {len(of_class):,} labels of class {name} are doubted: the networks hardly know the "
                "class. If it is smaller than others, a scoring recipe with `balance: sampler` may help"
            )
    if "below_threshold" in table:
        below, flagged = table["below_threshold"].sum(), table["likely_mislabelled"].sum()
        if below > MANY * len(table) and below > TIMES * flagged:
            found.append(
                f"The learned cut-off doubts {below:,} labels, the fixed rule {flagged:,}: with few classes, or few images in "
                "them, the threshold examples disturb the training, and most of these doubts are of right labels"
            )
    return found
