"""The figure of the barriers between networks that branched."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

LOOKS = {"easiest": ("#009E73", "o"), "middle": ("#E69F00", "s"), "hardest": ("#D55E00", "^")}
BAND = 0.15  # opacity of an interval behind a line
SEEN, LEAST = 0.05, 1e-3  # of the highest barrier, and of cross-entropy: lower ones are none, for the lines drawn below (chosen)
DODGE = 0.04  # of the distance between two epochs, between the bars of two groups


def draw(table: pd.DataFrame, dataset: str, metric: str, examples: int) -> Figure:
    """Draw loss and error barriers against the epoch of branching, and below them the loss along the line, above the chord.

    The lines are those of the first epoch and of the last one at which a group has a barrier, in one panel if that is the same.

    Args:
        table: as made by `pipeline_lib.analyse.landscape.connectivity`.
        dataset: its name, for the title.
        metric: that orders the examples.
        examples: in each group.
    """
    barriers, lines = table[table["measure"] == "loss barrier"], table[table["measure"] == "loss above chord"]
    titles = _lines_drawn(barriers)
    first, last = min(titles), max(titles)
    figure, panels = plt.subplot_mosaic([["loss", "error"], [first, last]], figsize=(11, 8))
    _barriers(panels["loss"], barriers, 1, "loss barrier (cross-entropy)")
    _barriers(panels["error"], table[table["measure"] == "error barrier"], 100, "error barrier (percentage points)")
    for epoch, title in titles.items():
        _line(panels[epoch], lines[lines["epoch"] == epoch])
        panels[epoch].set_title(title, loc="left")
    if last != first:
        panels[last].sharey(panels[first])
    handles, labels = panels["loss"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title=f"{examples} training\nexamples each,\nby {metric}")
    figure.suptitle(f"{dataset}: do two runs that branch end in one basin of the loss?", x=0.01, ha="left", fontsize=12)
    runs = int(table["runs"].min())
    bars = f"bars and bands: 95% t-interval; {style.HOLLOW_EQUAL}" if runs > 1 else "no intervals: a single pair"
    figure.supxlabel(
        f"points: mean over {runs} pair{'s' * (runs > 1)} of networks; {bars}; barrier: how far the highest point of the straight\n"
        "line between the two networks' weights lies above the chord between their own values",
        fontsize=9,
        color="#555555",
    )
    return figure


def _lines_drawn(barriers: pd.DataFrame) -> dict[int, str]:
    """Return the epochs whose lines are drawn, with what is said above them."""
    highest = barriers.groupby("epoch")["mean"].max()
    seen = highest.index[highest > max(SEEN * highest.max(), LEAST)]
    first, last = highest.index[0], seen[-1] if len(seen) else highest.index[0]
    titles = {epoch: f"branched after epoch {epoch}" if epoch else "branched before the first step" for epoch in (first, last)}
    if seen.empty:
        titles[last] += ", no barrier at any epoch"
    elif last < highest.index[-1]:
        titles[last] += ", no barrier later"
    return titles


def _barriers(axes: Axes, table: pd.DataFrame, unit: float, words: str) -> None:
    epochs = sorted(table["epoch"].unique())
    gap = min((b - a for a, b in zip(epochs, epochs[1:], strict=False)), default=1)
    for place, (group, (colour, marker)) in enumerate(LOOKS.items()):
        rows = table[table["group"] == group].sort_values("epoch")
        axes.plot(rows["epoch"], unit * rows["mean"], color=colour, marker=marker, linewidth=1.6, markersize=5.5, label=group)
        style.hollow(axes, rows["epoch"], unit * rows["mean"], style.equal(rows), {"color": colour, "marker": marker})
        beside = rows["epoch"] + (place - 1) * DODGE * gap
        axes.vlines(beside, unit * rows["low"], unit * rows["high"], color=colour, linewidth=1.3, alpha=0.7)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch after which the two runs branch")
    axes.set_ylabel(words)


def _line(axes: Axes, table: pd.DataFrame) -> None:
    for group, (colour, _) in LOOKS.items():
        rows = table[table["group"] == group].sort_values("share")
        axes.plot(rows["share"], rows["mean"], color=colour, linewidth=1.6)
        low, high = (rows[end].fillna(rows["mean"]) for end in ("low", "high"))  # at both ends all are 0
        axes.fill_between(rows["share"], low, high, color=colour, alpha=BAND, linewidth=0)
    axes.set_xlabel("place on the line (0 and 1: the two networks)")
    axes.set_ylabel("loss above the chord (cross-entropy)")
