"""The figure of what pruning leaves of small classes, with class quotas and without."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.analyse.classes import BALANCED, CLASS, EVERY, KEPT
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

NUMBERED = 12  # classes up to which a cell has room for its number
LIMIT = 4  # times as much, or as little, as a random subset keeps: the ends of the colours
DARK = 0.7  # of these ends: beyond it, white digits are readable on the cell
DODGE = 0.8  # percent of the axis between the bars of two metrics


def draw(table: pd.DataFrame, dataset: str, share: float) -> Figure:
    """Draw the kept share of every class at one pruned share, and accuracies against the pruned share.

    Args:
        table: as made by `pipeline_lib.analyse.classes.starved`.
        dataset: its name, for the title.
        share: pruned, of the heat map.
    """
    table = table[table["budget"] == table["budget"].iloc[0]]
    sizes = (
        table[table["measure"] == KEPT]
        .drop_duplicates("class")
        .set_index("class")["trained"]
        .sort_values(ascending=False, kind="stable")
    )
    smallest = sizes.index[-1]
    figure, panels = plt.subplots(2, 3, figsize=(18, 9.6), width_ratios=[1.25, 1, 1])
    of_smallest = f"the smallest class, {smallest} ({int(sizes.iloc[-1]):,} of {int(sizes.sum()):,} examples)"
    _kept(panels[0, 0], table, sizes, share)
    _lines(panels[1, 0], table, KEPT, smallest, f"Kept of {of_smallest}", "kept of the class (%)")
    for column, (measure, name, what) in enumerate(
        ((BALANCED, EVERY, "Balanced accuracy"), (CLASS, smallest, f"Accuracy of {of_smallest}")), 1
    ):
        _lines(panels[0, column], table, measure, name, what, "test accuracy (%)")
        gained = "Balanced accuracy" if name == EVERY else f"Accuracy of {smallest}"
        _gains(panels[1, column], table, measure, name, f"{gained}: what class quotas add")
    entries = {label: handle for axes in panels.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside right center", title="difficulty by")
    figure.suptitle(f"{dataset}: does leaving out the easiest examples starve small classes?", x=0.01, ha="left", fontsize=12)
    runs = int(table["runs"].max())
    bars = f"bars: 95% t-interval, {style.UNLESS_EQUAL}" if runs > 1 else "no intervals"
    figure.supxlabel(
        f"means of {runs} training{'s' * (runs > 1)}; {bars}; random: dashed; all data: dotted", fontsize=9, color="#555555"
    )
    return figure


def _metrics(table: pd.DataFrame) -> list[str]:
    return [metric for metric in dict.fromkeys(table["metric"]) if metric not in style.BASELINES]


def _kept(axes: Axes, table: pd.DataFrame, sizes: pd.Series, share: float) -> None:
    """Rows: metrics, without quotas; columns: classes, from the largest; colour: the ratio to the share that is kept of all."""
    rows = table[(table["measure"] == KEPT) & ~table["balanced"] & np.isclose(table["point"], share)]
    kept = rows.pivot(index="metric", columns="class", values="mean").reindex([*_metrics(table), "random"])[sizes.index]
    colours = np.log(kept.clip(lower=1e-9) / (1 - share)) / np.log(LIMIT)
    axes.imshow(colours, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    if len(sizes) <= NUMBERED:
        for (row, column), value in np.ndenumerate(kept.to_numpy()):
            dark = abs(colours.to_numpy()[row, column]) > DARK
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color="white" if dark else "black")
    axes.set_yticks(range(len(kept)), kept.index)
    named = [f"{name} ({int(size):,})" for name, size in sizes.items()]
    axes.set_xticks(range(len(sizes)), named, rotation=90, fontsize=10 if len(sizes) <= NUMBERED else 6)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"Kept of each class (%) when {share:.0%} of all are left out", loc="left")
    axes.set_xlabel("class (training examples); red: less than a random choice keeps, blue: more")


def _lines(axes: Axes, table: pd.DataFrame, measure: str, name: str, title: str, label: str) -> None:
    """Without quotas, against the pruned share."""
    rows = table[(table["measure"] == measure) & (table["class"] == name) & ~table["balanced"]]
    metrics = _metrics(rows)
    for place, metric in enumerate(metrics):
        line = rows[rows["metric"] == metric].sort_values("point")
        look = {**style.look(metric), "linewidth": 1.6, "markersize": 5.5, "label": metric}
        _line(axes, line, look, aside=(place - (len(metrics) - 1) / 2) * DODGE)
    for baseline in style.BASELINES:
        line = rows[rows["metric"] == baseline].sort_values("point")
        if line.empty:
            continue
        look = {**style.baseline(baseline), "zorder": 1, "label": style.BASELINE_NAMES[baseline]}
        if baseline == "full":
            axes.axhline(100 * line["mean"].iloc[0], **look)
        else:
            _line(axes, line, look)
    axes.set_title(title, loc="left")
    axes.set_xlabel("left out (%)")
    axes.set_ylabel(label)


def _line(axes: Axes, rows: pd.DataFrame, look: dict, prefix: str = "", aside: float = 0) -> None:
    """Draw {prefix}mean against the pruned share; the intervals stand aside, so that they do not hide one another."""
    x, (middle, low, high) = 100 * rows["point"], (100 * rows[f"{prefix}{end}"] for end in ("mean", "low", "high"))
    axes.plot(x, middle, **look)
    axes.vlines(x + aside, low, high, color=look["color"], linewidth=1.3, alpha=0.7, zorder=1.5)


def _gains(axes: Axes, table: pd.DataFrame, measure: str, name: str, title: str) -> None:
    """What quotas add, in percentage points."""
    rows = table[(table["measure"] == measure) & (table["class"] == name) & table["balanced"]]
    metrics = _metrics(rows)
    for place, metric in enumerate(metrics):
        line = rows[rows["metric"] == metric].sort_values("point")
        look = {**style.look(metric), "linewidth": 1.6, "markersize": 5.5}
        _line(axes, line, look, "gain_", (place - (len(metrics) - 1) / 2) * DODGE)
    line = rows[rows["metric"] == "random"].sort_values("point")
    _line(axes, line, style.baseline("random"), "gain_")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_title(title, loc="left")
    axes.set_xlabel("left out (%)")
    axes.set_ylabel("percentage points, paired by seed")
