"""How the margins of easy, hard and wrongly labelled examples develop in a training with threshold examples."""

import numpy as np
import pandas as pd

from pipeline_lib.analyse.threshold import DOUBTED, Run
from pipeline_lib.metrics import aum

CURVES = ("group", "examples", "epoch", "label_logit", "other_logit", "aum")
HISTOGRAM = ("part", "left", "right", "count")
TAIL = 0.1  # share of the right labels, or of those not doubted: the easiest, and the hardest, of the curves
BINS = 60


def curves(dynamics, groups: dict[str, np.ndarray], margins: str) -> pd.DataFrame:
    """Follow the two logits whose difference is the margin, mean over groups of examples.

    Args:
        dynamics: of one training.
        groups: name -> positions.
        margins: "training" or "clean".

    Returns:
        One row per group and epoch with `CURVES`: the mean logit of the label and the mean largest other logit; `aum` is the
        group's mean difference over all epochs.
    """
    if margins == "training":
        label, other = np.moveaxis(dynamics.training_logits(0), 2, 0)
    else:
        by_epoch = [dynamics.logits(0, epoch) for epoch in range(dynamics.epochs)]
        label = np.stack([z[np.arange(len(z)), dynamics.labels] for z in by_epoch])
        other = label - np.stack([aum.lead(z, dynamics.labels) for z in by_epoch])
    rows = []
    for group, members in groups.items():
        own, best = (np.nanmean(logits[:, members], axis=1) for logits in (label, other))
        for epoch in range(dynamics.epochs):
            rows.append((group, len(members), epoch + 1, own[epoch], best[epoch], float((own - best).mean())))
    return pd.DataFrame(rows, columns=CURVES)


def groups_of(table: pd.DataFrame, run: Run, wrong: np.ndarray | None, margins: str) -> dict[str, np.ndarray]:
    """Choose the examples whose margins are followed: easy, hard, wrongly labelled, and the threshold examples.

    Args:
        table: as made by `votes`.
        run: whose curves are drawn; its members are left out of the other groups.
        wrong: (N,) bool, labels known to be wrong, or None: those below the cut-off stand in for them.
        margins: "training" or "clean".

    Returns:
        Name -> positions; groups without examples are left out.
    """
    doubtful = table[DOUBTED].to_numpy() if wrong is None else wrong
    trusted = np.flatnonzero(~doubtful & ~run.members)
    order = trusted[np.argsort(-run.aum[margins][trusted], kind="stable")]
    size = max(1, round(TAIL * len(order)))
    left, name = ("undoubted", "doubted labels") if wrong is None else ("right", "wrong labels")
    chosen = {
        f"easiest {TAIL:.0%} of the {left} labels": order[:size],
        f"hardest {TAIL:.0%} of the {left} labels": order[-size:],
        name: np.flatnonzero(doubtful & ~run.members),
        "threshold examples": np.flatnonzero(run.members),
    }
    return {group: members for group, members in chosen.items() if len(members)}


def histogram(run: Run, margins: str, wrong: np.ndarray | None) -> pd.DataFrame:
    """Count the AUM of one run: right and wrong labels (all, where nothing is known) and threshold examples.

    Returns:
        One row per part and bin with `HISTOGRAM`; the bins are the same for all parts.
    """
    values = run.aum[margins]
    parts = {"labels": ~run.members} if wrong is None else {"right labels": ~wrong, "wrong labels": wrong}
    parts = {name: part & ~run.members for name, part in parts.items()} | {"threshold examples": run.members}
    edges = np.histogram_bin_edges(values, BINS)
    rows = [
        (name, edges[place], edges[place + 1], count)
        for name, part in parts.items()
        for place, count in enumerate(np.histogram(values[part], edges)[0])
    ]
    return pd.DataFrame(rows, columns=HISTOGRAM)
