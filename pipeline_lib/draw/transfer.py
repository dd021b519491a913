"""The figure of whether one network's score serves another."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw import diet

DARK = 0.6  # beyond this, white digits are readable on the cell


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw how the scores of several ensembles agree, a matrix per metric, and accuracy after pruning by each.

    Args:
        table: as made by `pipeline_lib.analyse.diet.transferred`.
        dataset: its name; its trainings are those whose accuracy is shown.
    """
    scored = table[table["scored_by"].fillna("") != ""]
    metrics, sources = list(dict.fromkeys(scored["metric"])), list(dict.fromkeys(scored["scored_by"]))
    panels = diet.variants(table)
    figure, axes = diet.grid(len(metrics) + len(panels))
    for panel, metric in zip(axes, metrics, strict=False):
        _matrix(panel, scored[scored["metric"] == metric], metric, sources)
    for panel, (title, rows) in zip(axes[len(metrics) :], panels, strict=True):
        _accuracy(panel, rows, sources)
        panel.set_title(title, loc="left")
    diet.legend(figure, axes[len(metrics) :])
    notes = [
        f"trained and tested: {dataset}, by its own recipe; only the scores come from the ensembles named below the axis",
        diet.runs(table),
    ]
    left_out = table[table["note"] != ""]
    if len(left_out):
        points = ", ".join(f"{row['metric']} of {row['scored_by']}" for row in left_out.to_dict("records"))
        notes.append(f"left out, as every example had the same score: {points}")
    diet.words(figure, f"{dataset}: does the score of another network serve as well?", notes)
    return figure


def _matrix(axes: Axes, rows: pd.DataFrame, metric: str, sources: list[str]) -> None:
    """Rank correlations between the ensembles of one metric."""
    values = rows.drop_duplicates("scored_by").set_index("scored_by").loc[sources, [f"with_{source}" for source in sources]]
    values = values.to_numpy(dtype=float)
    axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(len(sources)), sources, rotation=20, ha="right")
    axes.set_yticks(range(len(sources)), sources)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        text, colour = ("-", "black") if np.isnan(value) else (f"{value:.2f}", "white" if abs(value) > DARK else "black")
        axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_title(f"rank correlation of {metric}\nbetween the ensembles", loc="left")


def _accuracy(axes: Axes, rows: pd.DataFrame, sources: list[str]) -> None:
    """Accuracy after pruning, one place per ensemble that scored."""
    at = diet.places(axes, sources, sources)
    marks = rows.assign(place=[at.get(source, np.nan) for source in rows["scored_by"]])
    diet.accuracy(axes, marks, "place", {place: place for place in at.values()})
    for drawn in axes.get_lines():
        if drawn.get_label().startswith("by "):
            drawn.set_linestyle("none")  # ensembles have no order
    axes.tick_params(axis="x", rotation=20)
    axes.set_xlabel("ensemble that scored")
