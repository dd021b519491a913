"""The figure of a sweep over recipe values: accuracies and losses, one row of panels per key."""

import textwrap
from numbers import Number

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

# accuracy column -> what it is called, and its look
SPLITS = {
    "validation": ("held-out part (used to choose)", {"color": "#0072B2", "marker": "o"}),
    "test": ("test set (not used to choose)", {"color": "black", "marker": "s"}),
}
LOSSES = {  # how a loss is drawn: on the examples trained on, and on the held-out ones
    "train_loss_mean": ("examples trained on", {"linewidth": 1.2, "linestyle": (0, (3, 2))}),
    "validation_loss_mean": ("held-out part", {"linewidth": 1.6}),
}
CHOSEN = {"color": "#E69F00", "alpha": 0.35, "linewidth": 0}
DODGE = 0.08  # between the markers of a value, in distances between two values
SHADES = "viridis"  # of the values in the panel of losses, from the first to the last
LIGHTEST = 0.9  # part of these shades that is used: yellow cannot be seen on white
LEGEND = 2.6  # inches for the legend beside the panels
MARGIN = 0.06  # above and below the accuracies of a row of panels, in parts of what they span
LARGEST_LOSS = 20  # beyond it a curve is cut off: near divergence losses have any size
WIDEST = 16  # characters of a value on the axis, before it is broken into lines


def draw(table: pd.DataFrame, losses: pd.DataFrame, title: str) -> Figure:
    """Draw accuracy against the value, that of each class, and the losses from epoch to epoch.

    Args:
        table: as of `pipeline_lib.analyse.recipe_values.values`.
        losses: as of `pipeline_lib.analyse.recipe_values.losses`.
        title: of the whole figure: data set and question.
    """
    keys, names = list(dict.fromkeys(table["key"])), class_names(table)
    wide = 3 if names else 2
    figure, grid = plt.subplots(len(keys), wide, figsize=(5.2 * wide + LEGEND, 3.7 * len(keys) + 0.9), squeeze=False)
    for key, row in zip(keys, grid, strict=True):
        rows = table[table["key"] == key].reset_index(drop=True)
        _accuracies(row[0], rows, SPLITS)
        row[0].set_title(f"{key}: mean of the classes", loc="left")
        row[0].set_ylim(*_limits(rows, list(SPLITS)))
        if names:
            _accuracies(row[1], rows, _class_looks(names))
            row[1].set_title(f"{key}: each class, test set", loc="left")
            row[1].set_ylim(*_limits(rows, [f"test_{name}" for name in names]))
        _losses(row[-1], losses[losses["key"] == key], rows["value"].tolist())
        row[-1].set_title(f"{key}: loss after every epoch", loc="left")
    _legend(figure, grid[0])
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(note(table, losses), fontsize=9, color="#555555")
    return figure


def _legend(figure: Figure, row: np.ndarray) -> None:
    """Put one legend for all rows at the right, where it hides nothing: a heading for each column of panels."""
    losses = [Line2D([], [], color="black", **look) for _, look in LOSSES.values()], [name for name, _ in LOSSES.values()]
    parts = {"mean of the classes": row[0].get_legend_handles_labels()}
    if len(row) > 2:
        parts["each class"] = row[1].get_legend_handles_labels()
    parts["loss"] = losses
    handles, labels, headings = [], [], []
    for heading, (of_part, words) in parts.items():
        headings.append(len(labels))
        handles += [Line2D([], [], linestyle="none"), *of_part]
        labels += [heading, *words]
    legend = figure.legend(handles, labels, fontsize=9, loc="outside right upper")
    for place in headings:
        legend.get_texts()[place].set_fontweight("bold")


def class_names(table: pd.DataFrame) -> list[str]:
    """Return the classes whose accuracies a table tells."""
    columns = [name.removeprefix("test_").removesuffix("_mean") for name in table.columns if name.endswith("_mean")]
    return [name for name in columns if f"test_{name}_mean" in table.columns and name != "accuracy"]


def note(table: pd.DataFrame, losses: pd.DataFrame) -> str:
    """Say what stands behind a point and what the bars and marks are."""
    most = int(table["runs"].max())
    trainings = f"points: mean of {most} trainings with different seeds and splits; bars: 95% t-interval; {style.HOLLOW_EQUAL}"
    words = [trainings if most > 1 else "points: a single training, no intervals"]
    words.append("orange: the value chosen on the held-out examples" if table["chosen"].any() else "every value has diverged")
    if table["recipe"].any():
        words.append("(recipe): the value of the data set's recipe")
    if table["diverged"].any():
        words.append("crosses: trainings diverged")
    if (losses[list(LOSSES)].max(axis=None) or 0) > LARGEST_LOSS:
        words.append(f"losses: cut off above {LARGEST_LOSS}")
    return f"{words[0]}\n{'; '.join(words[1:])}"


def _limits(rows: pd.DataFrame, columns: list[str]) -> tuple[float, float]:
    """Return the ends of the axis of accuracies in percent: what is drawn and its bars, and 0 where a training diverged."""
    drawn = 100 * rows[[f"{column}_{part}" for column in columns for part in ("mean", "low", "high")]].to_numpy(dtype=float)
    low = 0.0 if rows["diverged"].any() else np.nanmin(drawn)
    margin = MARGIN * max(np.nanmax(drawn, initial=1.0) - low, 1.0)
    return low - margin, np.nanmax(drawn, initial=1.0) + margin


def _class_looks(names: list[str]) -> dict[str, tuple[str, dict]]:
    looks = [{"color": colour, "marker": marker} for colour, marker in zip(style.PALETTE, style.MARKERS, strict=False)]
    return {f"test_{name}": (name, looks[place % len(looks)]) for place, name in enumerate(names)}


def _accuracies(axes: Axes, rows: pd.DataFrame, series: dict[str, tuple[str, dict]]) -> None:
    """Lines over equally spaced values, with bars; the chosen value stands in a coloured band."""
    place = np.arange(len(rows))
    for number, (column, (name, look)) in enumerate(series.items()):
        x = place + (number - (len(series) - 1) / 2) * DODGE * min(1, 4 / len(series))
        line = "-" if all(isinstance(value, Number) for value in rows["value"]) else "none"  # words have no order
        axes.plot(x, 100 * rows[f"{column}_mean"], **look, linestyle=line, linewidth=1.5, markersize=5, label=name)
        style.hollow(axes, x, 100 * rows[f"{column}_mean"], style.equal(rows, f"{column}_"), look, 5)
        axes.vlines(x, 100 * rows[f"{column}_low"], 100 * rows[f"{column}_high"], color=look["color"], linewidth=1.2, alpha=0.6)
    for at in place[rows["chosen"].to_numpy(dtype=bool)]:
        axes.axvspan(at - 0.4, at + 0.4, zorder=0, **CHOSEN)
    diverged = rows["diverged"].to_numpy() > 0
    if diverged.any():
        axes.plot(place[diverged], np.zeros(diverged.sum()), "x", color="#B2182B", markersize=9, markeredgewidth=2)
    values, own = rows["value"], rows["recipe"]
    words = [textwrap.fill(value_text(v), WIDEST) + "\n(recipe)" * bool(o) for v, o in zip(values, own, strict=True)]
    axes.set_xticks(place, words)
    axes.set_xlim(-0.6, len(rows) - 0.4)
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
        for column, (_, look) in LOSSES.items():
            axes.plot(there["epoch"], there[column], color=colour, **look)
        axes.lines[-1].set_label(textwrap.shorten(value_text(value), 2 * WIDEST))
    axes.set_yscale("log")
    axes.set_ylim(top=min(axes.get_ylim()[1], LARGEST_LOSS))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("cross-entropy")
    if len(rows):
        axes.legend(fontsize=8, loc="best", labelspacing=0.3)
