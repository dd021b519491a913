"""The data map of Dataset Cartography."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw.picture import shown_of
from pipeline_lib.draw.style import plt

BINS = 40  # of the histograms at the margins
NARROWEST = 0.1  # of the axis of variability, so that noise does not fill it
MARGIN = 0.07  # beyond the data, for the regions' names
DOTS = {"s": 10, "linewidths": 0, "alpha": 0.8}
LEVELS = 10  # steps of the colour scale
REGIONS = {
    "easy to learn": (0.02, 0.99, {"va": "top"}),
    "ambiguous": (0.99, 0.5, {"ha": "right", "va": "center", "rotation": -90}),
    "hard to learn": (0.02, 0.01, {"va": "bottom"}),
}


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
    for name, (x, y, place) in REGIONS.items():
        axes.text(x, y, name, transform=axes.transAxes, fontweight="bold", **place)
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
