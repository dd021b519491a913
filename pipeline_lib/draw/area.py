"""The figure of the areas under the pruning curves."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.analyse.area import rule_in_words
from pipeline_lib.analyse.sweeps import VARIANT
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

ROW = 0.34  # inches for one metric


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw the area of every metric, and beside it the difference to random, best metric on top.

    Args:
        table: as made by `pipeline_lib.analyse.area.areas`; one row of panels per balanced and budget.
        dataset: its name, for the title.
    """
    variants = [(variant, rows) for variant, rows in table.groupby(VARIANT, sort=False)]
    metrics = [metric for metric in dict.fromkeys(table["metric"]) if metric != "random"]
    height = 1.9 + len(variants) * (0.9 + ROW * len(metrics))
    figure, panels = plt.subplots(len(variants), 2, figsize=(10.5, height), sharex="col", squeeze=False)
    for (variant, rows), (areas, gains) in zip(variants, panels, strict=True):
        ordered = rows[rows["metric"] != "random"].sort_values("area_mean")
        _dots(areas, ordered, "area")
        _dots(gains, ordered, "gain")
        _random(areas, rows[rows["metric"] == "random"])
        gains.axvline(0, color=style.BASELINES["random"][0], linestyle=style.BASELINES["random"][1], linewidth=1.6, zorder=1)
        areas.set_title(rule_in_words(*variant), loc="left", fontsize=11)
        gains.tick_params(labelleft=False)
    panels[-1, 0].set_xlabel("area under test accuracy, 10 to 70% pruned\n(1 = as good as on all data)")
    panels[-1, 1].set_xlabel("difference to random pruning of the same seeds\n← worse than random          better →")
    figure.suptitle(f"{dataset}: how much accuracy survives when the easiest examples are left out", x=0.01, ha="left", fontsize=12)
    runs = int(table["runs"].min())
    note = (
        f"dots: mean over {runs} training seeds; bars and the grey band: 95% t-intervals of the mean, not corrected for the number "
        "of metrics"
        if runs > 1
        else "no intervals: a single run per point"
    )
    figure.supxlabel(f"{note}\ndashed: random pruning", fontsize=9, color="#555555")
    return figure


def _dots(axes, rows: pd.DataFrame, quantity: str) -> None:
    """One dot with its interval per metric, from the bottom up."""
    for place, row in enumerate(rows.to_dict("records")):
        look = style.look(row["metric"])
        axes.hlines(place, row[f"{quantity}_low"], row[f"{quantity}_high"], color=look["color"], linewidth=1.6, alpha=0.7)
        axes.plot(row[f"{quantity}_mean"], place, linestyle="none", markersize=6.5, label=row["metric"], **look)
    axes.set_yticks(range(len(rows)), [style.tick(metric) for metric in rows["metric"]])
    axes.set_ylim(-0.6, len(rows) - 0.4)


def _random(axes, rows: pd.DataFrame) -> None:
    """The baseline as a dashed line in its interval."""
    colour, dashes = style.BASELINES["random"]
    for row in rows.to_dict("records"):
        axes.axvspan(row["area_low"], row["area_high"], color=colour, alpha=0.12, linewidth=0)
        axes.axvline(row["area_mean"], color=colour, linestyle=dashes, linewidth=1.6, zorder=1, label="random")
