"""Small histograms of all metrics."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

ACROSS = 4  # panels in a row, so that the figure still fits a page
PANEL = (3.3, 2.75)  # inches
WRAP = 42  # characters of a formula that fit under a panel
REMARKABLE = 0.05  # share of the examples from which a tie is worth a remark
PALE = 0.45  # opacity of the bars, so that a tie stands out
HEADROOM = 1.25  # above the highest bar, for the remark


def draw(table: pd.DataFrame, formulas: dict[str, str], dataset: str) -> Figure:
    """Draw one histogram per metric.

    Args:
        table: as made by `pipeline_lib.analyse.distributions.histograms`.
        formulas: metric -> what its score is, in one line.
        dataset: its name, for the title.
    """
    metrics = list(dict.fromkeys(table["metric"]))
    across = min(ACROSS, len(metrics))
    down = -(-len(metrics) // across)
    # a single panel still needs room for the title
    figure, grid = plt.subplots(down, across, figsize=(max(PANEL[0] * across, 7), PANEL[1] * down + 1), squeeze=False)
    for axes, metric in zip(grid.flat, metrics, strict=False):
        _panel(axes, table[table["metric"] == metric], style.look(metric)["color"])
        axes.set_title(metric, loc="left", fontweight="bold")
        axes.set_xlabel(textwrap.fill(formulas[metric], WRAP), fontsize=8, color="#555555")
    for axes in grid.flat[len(metrics) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("examples")
    examples = int(table.loc[table["metric"] == metrics[0], "count"].sum())
    title = f"{dataset}: how each metric spreads {examples:,} training examples\nfrom easy (left) to hard (right)"
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel(
        "below each panel: what the score is\n"
        f"dark: the largest group of equal scores, where it is over {REMARKABLE:.0%} of the examples",
        fontsize=9,
        color="#555555",
    )
    return figure


def _panel(axes: Axes, bars: pd.DataFrame, colour: str) -> None:
    single = bool((bars["low"] == bars["high"]).all())  # one bar per value
    gaps = np.diff(bars["low"])
    width = (0.8 * gaps.min() if len(gaps) else 0.8) if single else bars["high"] - bars["low"]
    middle = (bars["low"] + bars["high"]) / 2
    axes.bar(middle, bars["count"], width, color=colour, alpha=PALE, edgecolor="white", linewidth=0.4)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="x")
    share, at = bars["tied"].sum() / bars["count"].sum(), bars["tied"].idxmax()
    if share <= REMARKABLE:
        return
    axes.set_ylim(0, HEADROOM * bars["count"].max())
    axes.bar(middle, bars["tied"], width, color=colour, edgecolor="white", linewidth=0.4)
    what = f"{share:.0%} are equal" + (f" ({bars.loc[at, 'low']:.3g})" if single else "")
    left = middle[at] > (middle.iloc[0] + middle.iloc[-1]) / 2
    axes.text(0.02 if left else 0.98, 0.98, what, transform=axes.transAxes, ha="left" if left else "right", va="top", fontsize=9)
