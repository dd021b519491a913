"""The data map of Dataset Cartography."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw.picture import shown_of
from pipeline_lib.draw.style import plt

BINS = 40  # of the histograms at the margins
NARROWEST = 0.1  # of the axis of variability, so that noise does not fill it
MARGIN = 0.07  # beyond the data, for the regions' names
DOTS = {"s": 10, "linewidths": 0, "alpha": 0.8}
LEVELS = 10  # steps of the colour scale
NAMED = 0.01  # of the examples: the outermost ones, beside which the name of their region stands (chosen)
APART = 0.2  # of the axes: nearer to those of another name, the most variable examples are not called ambiguous (chosen)
AWAY = 5  # points between a name and its examples


def draw(table: pd.DataFrame, dataset: str, examples: int, seeds: int) -> Figure:
    """Draw variability against confidence, coloured by correctness, with a histogram of each.

    Args:
        table: rows of `pipeline_lib.analyse.belief.cartography`, all of which are drawn.
        dataset: its name, for the title.
        examples: in the whole training set.
        seeds: of the ensemble.
    """
    figure, panels = plt.subplot_mosaic(
        [["variability", "."], ["map", "confidence"]], figsize=(8.5, 8), width_ratios=(5, 1), height_ratios=(1, 5)
    )
    axes = panels["map"]
    colours = plt.get_cmap("viridis", LEVELS)
    points = axes.scatter(table["variability"], table["confidence"], c=table["correctness"], cmap=colours, vmin=0, vmax=1, **DOTS)
    widest = max(table["variability"].max(), NARROWEST)
    axes.set(xlim=(-0.02 * widest, (1 + MARGIN) * widest), ylim=(-MARGIN, 1 + MARGIN))
    axes.set_xlabel("variability: standard deviation over epochs of the label's probability")
    axes.set_ylabel("confidence: mean probability of the label")
    _name_regions(axes, table)
    label = "correctness: share of epochs and seeds that predict the label"
    figure.colorbar(points, ax=panels["confidence"], label=label, aspect=30)
    panels["variability"].hist(table["variability"], BINS, range=axes.get_xlim(), color="#999999")
    panels["variability"].set(xlim=axes.get_xlim(), xticklabels=[], ylabel="examples")
    panels["confidence"].hist(table["confidence"], BINS, range=axes.get_ylim(), orientation="horizontal", color="#999999")
    panels["confidence"].set(ylim=axes.get_ylim(), yticklabels=[], xlabel="examples")
    panels["variability"].set_title(f"{dataset}: how the ensemble learns each example", loc="left")
    figure.supxlabel(
        f"{shown_of(len(table), examples)}; means over {seeds} seed{'s' if seeds > 1 else ''}; "
        "Dataset Cartography, Swayamdipta et al. 2020",
        fontsize=9,
        color="#555555",
    )
    return figure


def _name_regions(axes: Axes, table: pd.DataFrame) -> None:
    """Write each name beside the examples that it is about."""
    few = max(1, round(NAMED * len(table)))
    easy, hard = table.nlargest(few, "confidence"), table.nsmallest(few, "confidence")
    variable = table.nlargest(few, "variability")
    for name, examples, edge, side in (("easy to learn", easy, "max", 1), ("hard to learn", hard, "min", -1)):
        at = examples["variability"].median(), examples["confidence"].agg(edge)
        left = axes.transLimits.transform(at)[0] < 0.5
        place = {"ha": "left" if left else "right", "va": "bottom" if side > 0 else "top"}
        _name(axes, name, at, (0, side * AWAY), place)
    if min(_distance(axes, variable, others) for others in (easy, hard)) > APART:
        at = variable["variability"].max(), variable["confidence"].median()
        _name(axes, "ambiguous", at, (AWAY, 0), {"va": "center", "rotation": -90})


def _name(axes: Axes, name: str, at: tuple[float, float], offset: tuple[float, float], place: dict) -> None:
    axes.annotate(name, at, offset, textcoords="offset points", fontweight="bold", **place)


def _distance(axes: Axes, one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Return how far the middles of two groups are apart, in widths and heights of the axes."""
    middles = [examples[["variability", "confidence"]].median() for examples in (one, other)]
    return float(np.hypot(*np.subtract(*axes.transLimits.transform(middles))))
