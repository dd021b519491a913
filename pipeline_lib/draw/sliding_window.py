"""The figure of the sliding-window experiment."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DODGE = 0.3  # percentage points between the markers of two metrics, so that intervals do not hide one another
MARGIN = 2.5  # percentage points right of the last window, where the baselines show their intervals


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw test accuracy against the start of the window, one line per metric, baselines dashed.

    Args:
        table: as made by `pipeline_lib.analyse.sliding_window.summarise`.
        dataset: its name, for the title.
    """
    curves = table[table["start"].notna()]
    metrics, size, runs = list(dict.fromkeys(curves["metric"])), curves["size"].iloc[0], int(curves["runs"].min())
    figure, axes = plt.subplots(figsize=(9.5, 6))
    for place, metric in enumerate(metrics):
        rows = curves[curves["metric"] == metric].sort_values("start")
        x = 100 * rows["start"] + (place - (len(metrics) - 1) / 2) * DODGE
        axes.plot(x, 100 * rows["accuracy_mean"], label=metric, linewidth=1.6, markersize=5.5, **style.look(metric, metrics))
        _intervals(axes, x, rows, style.look(metric, metrics)["color"])
    for place, (name, (colour, dashes)) in enumerate(style.BASELINES.items()):
        rows = table[table["metric"] == name]
        if rows.empty:
            continue
        label = f"random {size:.0%}" if name == "random" else "all data"
        axes.axhline(100 * rows["accuracy_mean"].iloc[0], color=colour, linestyle=dashes, linewidth=1.8, label=label, zorder=1)
        _intervals(axes, [100 * curves["start"].max() + MARGIN * (1 + place / 2)], rows, colour)
    axes.set_xlabel(
        f"where the window of {size:.0%} begins in the order of difficulty (%)\n← easiest examples kept          hardest kept →"
    )
    axes.set_ylabel("test accuracy (%)")
    axes.set_title(f"{dataset}: accuracy after training on {size:.0%} of the data, chosen by difficulty", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="difficulty by")
    note = "bars: 95% t-interval of the mean" if runs > 1 else "no intervals: a single run per point"
    figure.supxlabel(
        f"points: mean of {runs} trainings; {note}; baselines: dashed, their bars at the right", fontsize=9, color="#555555"
    )
    return figure


def _intervals(axes, x, rows: pd.DataFrame, colour: str) -> None:
    """Thin bars from low to high; nothing where a single run gives no interval."""
    axes.vlines(x, 100 * rows["accuracy_low"], 100 * rows["accuracy_high"], color=colour, linewidth=1.3, alpha=0.7, zorder=1.5)
