"""The figure of how fast tangent kernels turn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DARKEST, LIGHTEST = 0.05, 0.85  # of the colour map: yellow on white is not seen
DODGE = 0.45  # percent between the markers of two epochs
LOWEST = 0.3  # of the smallest mean, where the axis ends: an interval down to 0 has no place on a logarithmic one


def draw(table: pd.DataFrame, dataset: str, metric: str, examples: int) -> Figure:
    """Draw velocity against the difficulty of a group, one line per epoch; at the right relative to the mean of all groups.

    Args:
        table: as made by `pipeline_lib.analyse.landscape.velocities`.
        dataset: its name, for the title.
        metric: that orders the examples.
        examples: in each group.
    """
    figure, grid = plt.subplots(1, 2, figsize=(13, 5.6))
    epochs = sorted(table["epoch"].unique())
    colours = plt.get_cmap("viridis")(np.linspace(DARKEST, LIGHTEST, len(epochs)))
    for place, (epoch, colour) in enumerate(zip(epochs, colours, strict=True)):
        rows = table[table["epoch"] == epoch].sort_values("percentile")
        look = {"color": colour, "marker": style.MARKERS[place % len(style.MARKERS)], "label": f"{epoch} to {epoch + 1}"}
        x = rows["percentile"] + (place - (len(epochs) - 1) / 2) * DODGE
        for axes, prefix in zip(grid, ("", "relative_"), strict=True):
            axes.plot(x, rows[f"{prefix}mean"], linewidth=1.6, **look)
            axes.vlines(x, rows[f"{prefix}low"], rows[f"{prefix}high"], color=colour, linewidth=1.3, alpha=0.7)
    grid[0].set_yscale("log")
    grid[0].set_ylim(bottom=LOWEST * table["mean"].min())
    grid[0].set_ylabel("kernel velocity (1 − cosine, per epoch)")
    grid[1].axhline(1, color="#555555", linewidth=1, linestyle=(0, (4, 2)), zorder=1)
    grid[1].set_ylabel("velocity / mean of the groups in the same training")
    for axes in grid:
        axes.set_xlim(-3, 103)  # the outermost groups whole
        axes.set_xlabel(f"middle of the group in the order of difficulty by {metric} (%)\n← easiest          hardest →")
    grid[0].set_title("velocity of each group", loc="left")
    grid[1].set_title("each group relative to the mean of the groups", loc="left")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right center", title="from epoch")
    figure.suptitle(f"{dataset}: how fast the tangent kernel turns, by difficulty", x=0.01, ha="left", fontsize=12)
    runs = int(table["runs"].min())
    bars = f"bars: 95% t-interval, {style.UNLESS_EQUAL}" if runs > 1 else "no intervals: a single training"
    figure.supxlabel(
        f"points: groups of {examples} neighbours in the order of difficulty, mean over {runs} training{'s' * (runs > 1)}; {bars}",
        fontsize=9,
        color="#555555",
    )
    return figure
