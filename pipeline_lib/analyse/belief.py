"""What the ensemble believes of every example, and how it came to (Dataset Cartography)."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.ranking import leads, likely_mislabelled
from pipeline_lib.dynamics import Dynamics

COLUMNS = ("index", "likely_mislabelled", "suggested", "other", "lead", "belief", "belief_probability")


def cartography(dynamics: Dynamics) -> pd.DataFrame:
    """Place every example on the data map.

    Args:
        dynamics: recorded trainings (E seeds, T epochs, N examples).

    Returns:
        One row per example, p being the probability of its label: `index`; `confidence`, the mean of p over seeds and
        epochs (0..1); `variability`, the standard deviation of p over epochs (divided by T), mean over seeds (0..0.5);
        `correctness`, the share of seeds and epochs whose prediction is the label (0..1).

    Source: Swayamdipta et al. 2020, "Dataset Cartography", who train one model; here the mean over the seeds.
    """
    total = np.zeros((3, dynamics.examples))
    for seed in dynamics.seeds:
        missed = dynamics.label_misses(seed)
        total += 1 - missed.mean(axis=0), missed.std(axis=0), dynamics.correct(seed).mean(axis=0)
    means = dict(zip(("confidence", "variability", "correctness"), total / len(dynamics.seeds), strict=True))
    return pd.DataFrame({"index": np.arange(dynamics.examples), **means})


def beliefs_of(ensemble: Dynamics) -> pd.DataFrame:
    """Return the `beliefs` of an ensemble."""
    return beliefs(ensemble.mean_probabilities(), ensemble.mean_probabilities([-1]), ensemble.labels)


def beliefs(throughout: np.ndarray, final: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Say of every example whether its label is doubted and what it is taken for.

    Args:
        throughout: (N, C) probabilities, mean over seeds and epochs.
        final: (N, C) probabilities at the last epoch, mean over seeds.
        labels: (N,) integer given labels.

    Returns:
        One row per example with `COLUMNS`: the flag and the suggested class of `likely_mislabelled`, the other class and its lead
        (`leads`), the most probable class at the last epoch and its probability; classes as integers.
    """
    flag, suggested = likely_mislabelled(throughout, labels)
    columns = (np.arange(len(labels)), flag, suggested, *leads(throughout, labels), final.argmax(axis=1), final.max(axis=1))
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def read_beliefs(path: str | Path, examples: int) -> pd.DataFrame:
    """Read what `beliefs` made.

    Args:
        path: results/{dataset}/belief.csv
        examples: N.

    Raises:
        PipelineError: the file is missing, damaged, or about other examples.
    """
    table = storage.read_csv(path, COLUMNS, "believe")
    if len(table) != examples:
        raise storage.refuse(path, f"has {len(table)} rows for {examples} examples", "believe")
    return table


def suspicious(believed: pd.DataFrame, labels: np.ndarray, class_names: list[str], source_id: list[str]) -> pd.DataFrame:
    """Return the labels to look at: those that are not the most probable class, the other class's lead in descending order.

    Args:
        believed: as made by `beliefs`.
        labels: (N,) integer given labels.
        class_names: C names.
        source_id: N files, or positions in the source.

    Returns:
        One row per example whose lead is above 1: `index`, `file`, `label`, `suggested_label` (the other class), `lead`,
        `likely_mislabelled` (a lead of at least `ranking.LEAD`), `belief` and `belief_probability` at the last epoch.
    """
    found = believed[believed["lead"] > 1].sort_values("lead", ascending=False, kind="stable")
    names, index = np.asarray(class_names, dtype=object), found["index"].to_numpy()
    columns = {"index": index, "file": np.asarray(source_id, dtype=object)[index], "label": names[labels[index]]}
    columns |= {"suggested_label": names[found["other"]], "lead": found["lead"].to_numpy()}
    columns |= {"likely_mislabelled": found["likely_mislabelled"].to_numpy(), "belief": names[found["belief"]]}
    return pd.DataFrame(columns | {"belief_probability": found["belief_probability"].to_numpy()})
