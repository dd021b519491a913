"""Heat maps of correlation tables."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from pipeline_lib.draw.style import plt

DARK = 0.6  # beyond this, white digits are readable on the cell


def draw(table: pd.DataFrame, dataset: str, method: str, examples: int, order: list[str]) -> Figure:
    """Draw a correlation table with its values in the cells.

    Args:
        table: square, metric names as index and columns.
        dataset, method, examples: for the title.
        order: of the metrics, as of `alike_together`.
    """
    values = table.loc[order, order].to_numpy()
    side = 2.2 + 0.72 * len(order)
    figure, axes = plt.subplots(figsize=(side + 0.8, side))
    image = axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(len(order)), order, rotation=45, ha="right")
    axes.set_yticks(range(len(order)), order)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        text, colour = ("-", "black") if np.isnan(value) else (f"{value:z.2f}", "white" if abs(value) > DARK else "black")
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.8, label=f"{method.capitalize()} correlation")
    axes.set_title(
        f"{dataset}: do the metrics agree on what is hard?\n{method.capitalize()}, {examples:,} training examples", loc="left"
    )
    return figure


def alike_together(table: pd.DataFrame) -> list[str]:
    """Return the metrics so that those that order the examples alike, or oppositely, stand side by side.

    Args:
        table: square, of rank correlations: metric names as index and columns.
    """
    if len(table) < 3:
        return list(table.columns)
    apart = 1 - table.abs().fillna(0).to_numpy().clip(max=1)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average", optimal_ordering=True)
    return list(table.columns[leaves_list(tree)])
