"""Histograms of scores: one bar per value where there are few, bins that follow the grid of the values where there are many."""

import numpy as np
import pandas as pd

BARS = 40  # chosen: fine enough for a second mode, coarse enough for a small panel
OFF_GRID = 1e-6  # of a step: what rounding may do to a mean of whole numbers over seeds
FINEST = 1e-7  # step of a grid, of the span: what is closer differs by rounding
COLUMNS = ("metric", "low", "high", "count", "tied")


def histograms(scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """Count the examples per bar, for every metric.

    Args:
        scores: metric -> (N,) finite scores.

    Returns:
        One row per bar with `COLUMNS`. A bar holds low <= score < high (the last one high too); where it stands for a
        single value, low = high = that value. `tied` counts those of its examples that share the metric's most frequent
        score, 0 in all other bars.
    """
    rows = []
    for metric, score in scores.items():
        edges = _edges(score)
        low, high, which = _bars(score, edges)
        count = np.bincount(which, minlength=len(low))
        _, first, frequency = np.unique(score, return_index=True, return_counts=True)
        tied = np.zeros_like(count)
        tied[which[first[frequency.argmax()]]] = frequency.max()
        rows += zip([metric] * len(low), low, high, count, tied, strict=True)
    return pd.DataFrame(rows, columns=COLUMNS)


def _bars(score: np.ndarray, edges: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (lowest, highest score of each bar, the bar of each example)."""
    if edges is None:
        values, which = np.unique(score, return_inverse=True)
        return values, values, which
    which = np.searchsorted(edges, score, side="right") - 1
    return edges[:-1], edges[1:], np.minimum(which, len(edges) - 2)


def _edges(score: np.ndarray) -> np.ndarray | None:
    """Return the edges of the bins, or None for one bar per value.

    Means of whole numbers over ten seeds lie on a grid of tenths. Bins of another width would catch three values here and
    four there, a comb that is not in the data: these bins hold equally many values each, their edges between two values.
    """
    values = np.unique(score)
    if len(values) == 1:
        return None
    span = values[-1] - values[0]
    steps = round(span / max(np.diff(values).min(), FINEST * span))
    places = (values - values[0]) / span * steps
    if np.abs(places - places.round()).max() > OFF_GRID:
        return np.linspace(values[0], values[-1], BARS + 1)
    values_per_bar = -(-(steps + 1) // BARS)
    if values_per_bar == 1:
        return None
    bars = -(-(steps + 1) // values_per_bar)
    return values[0] + span / steps * (values_per_bar * np.arange(bars + 1) - 0.5)
