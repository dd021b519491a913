"""How the ensemble comes to believe the labels: Dataset Cartography."""

import numpy as np
import pandas as pd

from pipeline_lib.dynamics import Dynamics


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
        p = dynamics.label_probabilities(seed)
        total += p.mean(axis=0), p.std(axis=0), dynamics.correct(seed).mean(axis=0)
    means = dict(zip(("confidence", "variability", "correctness"), total / len(dynamics.seeds), strict=True))
    return pd.DataFrame({"index": np.arange(dynamics.examples), **means})
