"""Sweep tables made by hand, for the tests of what is computed from them."""

import numpy as np
import pandas as pd

EXAMPLES, FULL_FLOPS, FULL_SECONDS = 1000, 1e12, 10.0


def sweep(accuracy: dict, balanced: bool = False, budget: str = "epochs") -> pd.DataFrame:
    """Make the rows of a sweep; accuracy: point -> one accuracy per seed (NaN as point: a baseline)."""
    rows = []
    for point, values in accuracy.items():
        kept = 1.0 if np.isnan(point) else 1 - point
        cost = 1.0 if budget == "steps" else kept
        for seed, value in enumerate(values):
            rows.append((point, balanced, budget, seed, round(EXAMPLES * kept), value, FULL_SECONDS * cost, FULL_FLOPS * cost))
    return pd.DataFrame(rows, columns=["point", "balanced", "budget", "seed", "kept", "accuracy", "seconds", "flops"])


def classes(runs: pd.DataFrame, **kept: int) -> pd.DataFrame:
    """Add how many examples of each class were kept."""
    return runs.assign(**{f"kept_{name}": number for name, number in kept.items()})


def full(*accuracies: float) -> pd.DataFrame:
    """Make the runs on all data."""
    return sweep({float("nan"): accuracies})
