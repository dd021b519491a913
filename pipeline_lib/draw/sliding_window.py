"""The figure of the sliding-window experiment."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DODGE = 0.22  # percentage points between the markers of two metrics, so that intervals do not hide one another


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw test accuracy against the start of the window, one line per metric, baselines dashed.

    Args:
        table: as made by `pipeline_lib.analyse.sliding_window.summarise`.
        dataset: its name, for the title.
    """
    curves = table[table["start"].notna()]
    metrics = list(dict.fromkeys(curves["metric"]))
    size = curves["size"].iloc[0]
    figure, axes = plt.subplots(figsize=(9, 6))
    for place, metric in enumerate(metrics):
        rows = curves[curves["metric"] == metric].sort_values("start")
        x = 100 * rows["start"] + (place - (len(metrics) - 1) / 2) * DODGE
        y = 100 * rows["accuracy_mean"]
        bars = [100 * (rows["accuracy_mean"] - rows["accuracy_low"]), 100 * (rows["accuracy_high"] - rows["accuracy_mean"])]
        axes.errorbar(x, y, yerr=bars, label=metric, linewidth=1.5, markersize=5, elinewidth=0.9, capsize=2, **style.look(metric, metrics))
    for name, (colour, dashes) in style.BASELINES.items():
        _baseline(axes, table[table["metric"] == name], name, size, colour, dashes)
    runs = int(curves["runs"].min())
    axes.set_xlabel(f"start of the {size:.0%} window in the order of difficulty (%): left = easiest examples, right = hardest")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title(f"{dataset}: trained on {size:.0%} of the training set, chosen by difficulty", loc="left")
    axes.legend(ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5), title="difficulty metric")
    what = "95% t-interval of the mean" if runs > 1 else "no interval: a single run per point"
    figure.supxlabel(f"mean of {runs} training runs per point; bars and bands: {what}", fontsize=9, color="#555555", x=0.01, ha="left")
    return figure


def _baseline(axes, rows: pd.DataFrame, name: str, size: float, colour: str, dashes) -> None:
    if rows.empty:
        return
    row = rows.iloc[0]
    label = f"random {size:.0%}" if name == "random" else "all data"
    axes.axhline(100 * row["accuracy_mean"], color=colour, linestyle=dashes, linewidth=1.8, label=label, zorder=1)
    if pd.notna(row["accuracy_low"]):
        axes.axhspan(100 * row["accuracy_low"], 100 * row["accuracy_high"], color=colour, alpha=0.08, linewidth=0, zorder=0)
