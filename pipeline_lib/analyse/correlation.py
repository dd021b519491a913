"""How much metrics agree."""

import numpy as np
import pandas as pd


def correlate(scores: dict[str, np.ndarray], method: str) -> pd.DataFrame:
    """Correlate every metric with every other.

    Args:
        scores: metric -> (N,) scores, all higher = harder, so agreement is positive.
        method: "pearson" or "spearman" (ties get their mean rank).

    Returns:
        Square table, metric names as index and columns, 1 on the diagonal; NaN where a metric is constant.
    """
    table = pd.DataFrame(scores).corr(method=method)
    table.index.name = "metric"
    return table
