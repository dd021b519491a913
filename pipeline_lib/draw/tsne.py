"""The map of the features, coloured by class."""

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.picture import blank, short, shown_of
from pipeline_lib.draw.style import plt

LEGEND = 20  # classes that a legend can tell apart; more are coloured by their number
NAMED = 12  # classes named on the map where there is no legend
WIDE, HIGH = 0.12, 0.03  # of the map's extent: nearer names would overlap
AROUND = 10  # dots around the middle of a class, most of which must be of it for its name to stand there
LONGEST = 18  # characters of a class name


def draw(table: pd.DataFrame, class_names: list[str], dataset: str, examples: int) -> Figure:
    """Draw the map.

    Args:
        table: `x`, `y` and `label` (a class name) per example laid out.
        class_names: all C, in the order of their numbers.
        dataset: its name, for the title.
        examples: in the whole training set.
    """
    few = len(class_names) <= LEGEND
    figure, axes = plt.subplots(figsize=(9.5, 7.5))
    number = table["label"].map({name: place for place, name in enumerate(class_names)})
    dots = {"s": 14 if len(table) < 2000 else 9, "linewidths": 0}
    if few:
        for place, name in enumerate(class_names):
            rows = table[number == place]
            axes.scatter(rows["x"], rows["y"], color=_colours(len(class_names))[place], label=short(name, LONGEST), **dots)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="class", markerscale=2.5)
    else:
        points = axes.scatter(table["x"], table["y"], c=number, cmap="turbo", vmin=0, vmax=len(class_names) - 1, **dots)
        figure.colorbar(points, ax=axes, label=f"class, by its number (0 to {len(class_names) - 1})", shrink=0.8)
    _name(axes, table, len(class_names) if few else NAMED)
    blank(axes)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title(f"{dataset}: what SwAV finds alike without seeing a label", loc="left")
    named = "" if few else f"; named: up to {NAMED} classes, the most compact ones"
    figure.supxlabel(
        f"t-SNE of the SwAV backbone features of {shown_of(len(table), examples)}{named}\n"
        "near = alike; directions and distances between far groups mean nothing",
        fontsize=9,
        color="#555555",
    )
    return figure


def _colours(classes: int) -> list:
    return list(style.PALETTE) if classes <= len(style.PALETTE) else list(plt.get_cmap("tab20").colors)


def _name(axes: Axes, table: pd.DataFrame, most: int) -> None:
    """Write names at the medians of the most compact classes, where the class is at home and no other name is near."""
    places, labels = table[["x", "y"]].to_numpy(), table["label"].to_numpy()
    centres = table.groupby("label")[["x", "y"]].median()
    away = pd.Series(np.hypot(*(places - centres.loc[labels].to_numpy()).T))
    extent, named = np.ptp(places, axis=0).max(), []
    for name in away.groupby(labels).median().sort_values(kind="stable").index:
        x, y = centres.loc[name]
        around = np.argsort(np.hypot(*(places - (x, y)).T), kind="stable")[:AROUND]
        free = all(abs(x - u) > WIDE * extent or abs(y - v) > HIGH * extent for u, v in named)
        if len(named) < most and free and (labels[around] == name).mean() > 0.5:
            named.append((x, y))
            outline = [patheffects.withStroke(linewidth=3, foreground="white")]
            axes.text(x, y, short(name, LONGEST), ha="center", va="center", fontweight="bold", path_effects=outline)
