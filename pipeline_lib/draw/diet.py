"""What the figures of scores from less have in common: accuracy against an ordered choice, agreement beside it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.analyse.sweeps import BALANCING
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DODGE = 0.5  # the intervals of all metrics at one place together, in distances to the next place
COLUMNS = 3  # panels side by side
GREY = "#555555"
REFERENCES = {name: style.BASELINES[name] for name in ("random", "full")} | {"input_norm": ("#8C510A", (0, (6, 1.5, 1, 1.5)))}
CALLED = {**style.BASELINE_NAMES, "input_norm": "by the input norm"}


def variants(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Split a table into (title, rows) for every share and way in which the experiment was run; all data stand in each."""
    trained = table[table["point"].notna()]
    several = {key: trained[key].nunique() > 1 for key in ("balanced", "budget")}
    found = []
    for (point, balanced, budget), rows in trained.groupby(["point", "balanced", "budget"], sort=True):
        words = [f"without the easiest {point:.0%}"]
        if several["balanced"]:
            words.append(BALANCING[balanced])
        if several["budget"]:
            words.append("equal steps" if budget == "steps" else "equal epochs")
        found.append((", ".join(words), pd.concat([rows, table[table["metric"] == "full"]])))
    return found


def grid(panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, three in a row."""
    wide = min(panels, COLUMNS)
    high = -(-panels // wide)
    figure, axes = plt.subplots(high, wide, figsize=(5.2 * wide + 2, 4.6 * high + 0.9), squeeze=False)
    for unused in list(axes.flat)[panels:]:
        unused.set_visible(False)
    return figure, list(axes.flat)[:panels]


def places(axes: Axes, values: list, labels: list[str]) -> dict:
    """Put the values at equal distances on the axis below and return value -> place."""
    axes.set_xticks(range(len(values)), labels)
    axes.set_xlim(-0.6, len(values) - 0.4)
    return {value: place for place, value in enumerate(values)}


def line(
    axes: Axes,
    x: list[float],
    aside: float,
    rows: pd.DataFrame,
    column: str,
    look: dict,
    scale: float = 1,
) -> None:
    """Draw a line, and aside its intervals: the columns {column}_mean (or {column}), {column}_low, {column}_high."""
    middle = f"{column}_mean" if f"{column}_mean" in rows else column
    axes.plot(x, scale * rows[middle], linewidth=1.6, markersize=5.5, **look)
    low, high = (scale * rows[f"{column}_{end}"] for end in ("low", "high"))
    axes.vlines(np.array(x) + aside, low, high, color=look["color"], linewidth=1.3, alpha=0.7, zorder=1.5)


def aside(position: int, metrics: int) -> float:
    """Return how far from their place a metric's intervals stand, so that they do not hide those of others."""
    return (position - (metrics - 1) / 2) * min(0.12, DODGE / max(metrics - 1, 1))


def accuracy(axes: Axes, rows: pd.DataFrame, across: str, at: dict) -> None:
    """Draw test accuracy against a choice, and what needs no choice as lines across with their intervals at the right end."""
    metrics = [metric for metric in dict.fromkeys(rows["metric"]) if metric not in REFERENCES]
    for position, metric in enumerate(metrics):
        own = rows[rows["metric"] == metric].sort_values(across)
        x, look = [at[value] for value in own[across]], style.look(metric)
        line(axes, x, aside(position, len(metrics)), own, "accuracy", {**look, "label": f"by {metric}"}, 100)
        style.hollow(axes, np.array(x), 100 * own["accuracy_mean"].to_numpy(), own["classes_missing"].to_numpy() > 0, look, 6)
    right = len(at) - 0.4
    for position, (name, (colour, dashes)) in enumerate(REFERENCES.items()):
        own = rows[rows["metric"] == name]
        if own.empty:
            continue
        axes.axhline(
            100 * own["accuracy_mean"].iloc[0], color=colour, linestyle=dashes, linewidth=1.8, zorder=1, label=CALLED[name]
        )
        x = right - 0.06 * (position + 1)
        axes.vlines(x, 100 * own["accuracy_low"], 100 * own["accuracy_high"], color=colour, linewidth=1.3, alpha=0.7)
    axes.set_ylabel("test accuracy (%)")


def legend(figure: Figure, axes: list[Axes]) -> None:
    """One legend for all panels, at the right."""
    entries = {label: handle for each in axes for handle, label in zip(*each.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside right center")


def runs(table: pd.DataFrame) -> str:
    """Say how many trainings stand behind a point and what its bar is."""
    counts = table["runs"].dropna()
    low, high = int(counts.min()), int(counts.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    bars = f"bars: 95% t-interval of the mean, {style.UNLESS_EQUAL}" if high > 1 else "no intervals: a single training per point"
    hollow = f"; {style.HOLLOW}" if (table["classes_missing"] > 0).any() else ""
    return f"accuracy: mean of {number} training{'s' * (high > 1)}, {bars} (of random and of all data at the right){hollow}"


def words(figure: Figure, title: str, notes: list[str]) -> None:
    """Put the title above and what must be known below."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel("\n".join(filter(None, notes)), fontsize=9, color=GREY)


def agreement_axis(axes: Axes, values: pd.Series, title: str) -> None:
    """Label an axis of rank correlations, from the lowest there is up to 1."""
    lowest = np.nanmin([0.0, values.min()])
    axes.set_ylim(lowest - 0.03, 1.03)
    axes.set_ylabel("Spearman rank correlation")
    axes.set_title(title, loc="left")
