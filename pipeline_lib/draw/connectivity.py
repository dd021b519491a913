"""The figure of the barriers between networks that parted."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

LOOKS = {"easiest": ("#009E73", "o"), "middle": ("#E69F00", "s"), "hardest": ("#D55E00", "^")}
BAND = 0.15  # opacity of an interval behind a line
DODGE = 0.04  # of the distance between two epochs, between the bars of two groups


def draw(table: pd.DataFrame, dataset: str, metric: str, examples: int) -> Figure:
    """Draw loss and error barriers against the epoch of parting, and the loss along the line for the first and the last epoch.

    Args:
        table: as made by `pipeline_lib.analyse.landscape.connectivity`.
        dataset: its name, for the title.
        metric: that orders the examples.
        examples: in each group.
    """
    figure, grid = plt.subplots(2, 2, figsize=(11, 8))
    _barriers(grid[0][0], table[table["measure"] == "loss barrier"], 1, "loss barrier (cross-entropy)")
    _barriers(grid[0][1], table[table["measure"] == "error barrier"], 100, "error barrier (percentage points)")
    lines = table[table["measure"] == "loss"]
    first, last = lines["epoch"].min(), lines["epoch"].max()
    for axes, epoch in zip(grid[1], (first, last), strict=True):
        _line(axes, lines[lines["epoch"] == epoch])
        when = f"parted after epoch {epoch}" if epoch else "parted before the first step"
        axes.set_title(f"along the line: {when}", loc="left")
    grid[1][1].sharey(grid[1][0])
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title=f"{examples} training\nexamples each,\nby {metric}")
    figure.suptitle(f"{dataset}: do two trainings that part end in one basin of the loss?", x=0.01, ha="left", fontsize=12)
    runs = int(table["runs"].min())
    bars = f"bars and bands: 95% t-interval, {style.UNLESS_EQUAL}" if runs > 1 else "no intervals: a single pair"
    figure.supxlabel(
        f"points: mean over {runs} pair{'s' * (runs > 1)} of networks; {bars}; barrier: how far the highest point of the straight\n"
        "line between the two networks' weights lies above the chord between their own values",
        fontsize=9,
        color="#555555",
    )
    return figure


def _barriers(axes: Axes, table: pd.DataFrame, unit: float, words: str) -> None:
    epochs = sorted(table["epoch"].unique())
    gap = min((b - a for a, b in zip(epochs, epochs[1:], strict=False)), default=1)
    for place, (group, (colour, marker)) in enumerate(LOOKS.items()):
        rows = table[table["group"] == group].sort_values("epoch")
        axes.plot(rows["epoch"], unit * rows["mean"], color=colour, marker=marker, linewidth=1.6, markersize=5.5, label=group)
        beside = rows["epoch"] + (place - 1) * DODGE * gap
        axes.vlines(beside, unit * rows["low"], unit * rows["high"], color=colour, linewidth=1.3, alpha=0.7)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch after which the two networks part")
    axes.set_ylabel(words)


def _line(axes: Axes, table: pd.DataFrame) -> None:
    for group, (colour, _) in LOOKS.items():
        rows = table[table["group"] == group].sort_values("share")
        axes.plot(rows["share"], rows["mean"], color=colour, linewidth=1.6)
        axes.fill_between(rows["share"], rows["low"], rows["high"], color=colour, alpha=BAND, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("place on the line (0 and 1: the two networks)")
    axes.set_ylabel("loss (cross-entropy)")
