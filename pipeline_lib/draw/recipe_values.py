"""The figure of a sweep over recipe values: accuracies and losses, one row of panels per key."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

# accuracy column -> what it is called, and its look
SPLITS = {
    "validation": ("held-out examples (chosen by)", {"color": "#0072B2", "marker": "o"}),
    "test": ("test set (only told)", {"color": "black", "marker": "s"}),
}
CHOSEN = {"color": "#E69F00", "alpha": 0.35, "linewidth": 0}
DODGE = 0.08  # between the markers of a value, in distances between two values
SHADES = "viridis"  # of the values in the panel of losses, from the first to the last
LIGHTEST = 0.9  # part of these shades that is used: yellow cannot be seen on white
TOP = 1.02  # of the axis of accuracies


def draw(table: pd.DataFrame, losses: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy against the value, that of each class, and the losses from epoch to epoch.

    Args:
        table: as of `pipeline_lib.analyse.recipe_values.values`.
        losses: as of `pipeline_lib.analyse.recipe_values.losses`.
        title: of the whole figure: data set and question.
    """
    keys, names = list(dict.fromkeys(table["key"])), class_names(table)
    wide = 3 if names else 2
    figure, grid = plt.subplots(len(keys), wide, figsize=(4.9 * wide + 1.2, 3.5 * len(keys) + 0.9), squeeze=False)
    for place, (key, row) in enumerate(zip(keys, grid, strict=True)):
        rows = table[table["key"] == key].reset_index(drop=True)
        _accuracies(row[0], rows, SPLITS, key)
        if names:
            _accuracies(row[1], rows, _class_looks(names), key)
        _losses(row[-1], losses[losses["key"] == key], rows["value"].tolist())
        if place == 0:
            row[0].set_title("mean of the classes' accuracies", loc="left")
            row[-1].set_title("loss after every epoch", loc="left")
            if names:
                row[1].set_title("test accuracy of each class", loc="left")
                row[1].legend(fontsize=8, loc="best", ncols=1 + len(names) // 4, title="class", title_fontsize=8)
            row[0].legend(fontsize=8, loc="best")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(note(table), fontsize=9, color="#555555")
    return figure


def class_names(table: pd.DataFrame) -> list[str]:
    """Return the classes whose accuracies a table tells."""
    columns = [name.removeprefix("test_").removesuffix("_mean") for name in table.columns if name.endswith("_mean")]
    return [name for name in columns if f"test_{name}_mean" in table.columns and name != "accuracy"]


def note(table: pd.DataFrame) -> str:
    """Say what stands behind a point and what the bars and marks are."""
    most = int(table["runs"].max())
    trainings = f"points: mean of {most} trainings with different seeds and splits; bars: 95% t-interval"
    words = [trainings if most > 1 else "points: a single training, no intervals"]
    words.append("orange: the value chosen on the held-out examples" if table["chosen"].any() else "every value has diverged")
    if table["recipe"].any():
        words.append("(recipe): the value of the data set's recipe")
    if table["diverged"].any():
        words.append("crosses: trainings diverged")
    return "; ".join(words) + "\nlosses: dashed on the examples trained on, solid on the held-out ones"


def _class_looks(names: list[str]) -> dict[str, tuple[str, dict]]:
    looks = [{"color": colour, "marker": marker} for colour, marker in zip(style.PALETTE, style.MARKERS, strict=False)]
    return {f"test_{name}": (name, looks[place % len(looks)]) for place, name in enumerate(names)}


def _accuracies(axes: Axes, rows: pd.DataFrame, series: dict[str, tuple[str, dict]], key: str) -> None:
    """Lines over equally spaced values, with bars; the chosen value stands in a coloured band."""
    place = np.arange(len(rows))
    for number, (column, (name, look)) in enumerate(series.items()):
        x = place + (number - (len(series) - 1) / 2) * DODGE * min(1, 4 / len(series))
        axes.plot(x, 100 * rows[f"{column}_mean"], **look, linewidth=1.5, markersize=5, label=name)
        axes.vlines(x, 100 * rows[f"{column}_low"], 100 * rows[f"{column}_high"], color=look["color"], linewidth=1.2, alpha=0.6)
    for at in place[rows["chosen"].to_numpy(dtype=bool)]:
        axes.axvspan(at - 0.4, at + 0.4, zorder=0, **CHOSEN)
    diverged = rows["diverged"].to_numpy() > 0
    axes.plot(place[diverged], np.zeros(diverged.sum()), "x", color="#B2182B", markersize=9, markeredgewidth=2, clip_on=False)
    words = [
        f"{value_text(value)}{mark}" for value, mark in zip(rows["value"], np.where(rows["recipe"], "\n(recipe)", ""), strict=True)
    ]
    axes.set_xticks(place, words)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_ylim(0, 100 * TOP)
    axes.set_xlabel(key)
    axes.set_ylabel("accuracy (%)")


def value_text(value: float | str) -> str:
    """Return a value as short as it can be read."""
    return value if isinstance(value, str) else f"{value:g}"


def _losses(axes: Axes, rows: pd.DataFrame, values: list) -> None:
    shades = mpl.colormaps[SHADES](np.linspace(0, LIGHTEST, len(values)))
    for value, colour in zip(values, shades, strict=True):
        there = rows[rows["value"] == value]
        if there.empty:
            continue
        axes.plot(there["epoch"], there["train_loss_mean"], color=colour, linewidth=1.2, linestyle=(0, (3, 2)))
        axes.plot(there["epoch"], there["validation_loss_mean"], color=colour, linewidth=1.6, label=value_text(value))
    axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel("cross-entropy")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
