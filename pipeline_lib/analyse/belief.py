"""What the ensemble believes of every example, and how it came to (Dataset Cartography)."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.ranking import likely_mislabelled
from pipeline_lib.dynamics import Dynamics

COLUMNS = ("index", "likely_mislabelled", "suggested", "belief", "belief_probability")


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
        One row per example with `COLUMNS`: the flag and the suggested class of `likely_mislabelled`, the most probable class
        at the last epoch and its probability; classes as integers.
    """
    flag, suggested = likely_mislabelled(throughout, labels)
    columns = (np.arange(len(labels)), flag, suggested, final.argmax(axis=1), final.max(axis=1))
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
