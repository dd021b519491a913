"""The figure of what pruning costs and when it pays."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pipeline_lib.analyse.area import rule_in_words
from pipeline_lib.analyse.sweeps import VARIANT
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

BESIDE = 1.004  # ratio of the costs at which the bars of two metrics stand
SHARING = 100  # trainings that share the scoring in the second panel: a search over models or settings (chosen)


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw accuracy against cost, once with all of the scoring and once with a hundredth of it.

    Args:
        table: as made by `pipeline_lib.analyse.cost.ledger`; every variant in it has its own row of panels.
        dataset: its name, for the title.
    """
    curves, full = table[table["metric"] != "full"], table[table["metric"] == "full"].iloc[0]
    variants, runs = list(curves.groupby(VARIANT, sort=True)), int(curves["runs"].min())
    figure, grid = plt.subplots(len(variants), 2, figsize=(14, 5.4 * len(variants) + 0.6), sharey=True, squeeze=False)
    for row, (variant, rows) in zip(grid, variants, strict=True):
        words = f"\n{rule_in_words(*variant)}" if len(variants) > 1 else ""
        for axes, sharing in zip(row, (1, SHARING), strict=True):
            _panel(axes, rows, full, sharing)
        row[0].set_ylabel("test accuracy (%)")
        row[0].set_title(f"a single training pays for the scoring{words}", loc="left")
        row[1].set_title(f"{SHARING} trainings share the scoring{words}", loc="left")
    figure.legend(*grid[0][1].get_legend_handles_labels(), loc="outside right center", title="easiest pruned by")
    figure.suptitle(f"{dataset}: accuracy against what it costs, scoring included", x=0.01, ha="left", fontsize=13)
    shares = curves["point"].dropna()
    note = f"bars: 95% t-interval of the mean, {style.UNLESS_EQUAL}" if runs > 1 else "no intervals: a single run per point"
    only = f", {rule_in_words(*variants[0][0])}" if len(variants) == 1 else ""
    hollow = f"; {style.HOLLOW}" if (curves["classes_missing"] > 0).any() else ""
    figure.supxlabel(
        f"points along a line: {shares.min():.0%} to {shares.max():.0%} pruned, from right to left{only}{hollow}\n"
        f"mean of {runs} training{'s' * (runs > 1)}; {note}; cost: floating-point operations, which depend on no machine "
        "(seconds are in the table)",
        fontsize=9,
        color="#555555",
    )
    return figure


def _panel(axes, curves: pd.DataFrame, full: pd.Series, sharing: int) -> None:
    metrics = [metric for metric in dict.fromkeys(curves["metric"]) if metric not in style.BASELINES]
    baselines = [name for name in style.BASELINES if name in set(curves["metric"])]
    for place, metric in enumerate([*baselines, *metrics]):
        rows = curves[curves["metric"] == metric].sort_values("point")
        cost = (rows["training_flops"] + rows["scoring_flops"] / sharing) / full["training_flops"]
        look = style.baseline(metric) if metric in baselines else {**style.look(metric), "linewidth": 1.4, "markersize": 5}
        axes.plot(cost, 100 * rows["accuracy_mean"], label=style.BASELINE_NAMES.get(metric, metric), **look)
        beside = place - (len(metrics) + len(baselines) - 1) / 2  # many metrics cost the same
        aside = cost * BESIDE**beside  # on a logarithmic axis
        axes.vlines(aside, 100 * rows["accuracy_low"], 100 * rows["accuracy_high"], color=look["color"], linewidth=1, alpha=0.6)
        hollow = rows["classes_missing"] > 0
        if hollow.any() and metric not in baselines:
            style.hollow(axes, cost, 100 * rows["accuracy_mean"], hollow, look, size=5)
    axes.plot(1, 100 * full["accuracy_mean"], "*", color="black", markersize=13, label="all data", zorder=4)
    axes.vlines(1, 100 * full["accuracy_low"], 100 * full["accuracy_high"], color="black", linewidth=2.5, zorder=3)
    axes.axvline(1, color="black", linewidth=1, zorder=1)
    axes.annotate(
        "pruning begins to save\nto the left of this line",
        (1, 0.02),
        xytext=(-5, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color="#555555",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("cost of one model (1 = a training on all data)")
