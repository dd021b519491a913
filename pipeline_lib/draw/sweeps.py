"""The figures of experiments that train at several points: test accuracy against the point, one line per metric."""

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DODGE = 0.3  # percentage points between the markers of two metrics, so that intervals do not hide one another
MARGIN = 2.5  # percentage points right of the last point, where the baselines show their intervals
COLUMNS = 2  # panels side by side
PRUNED = {
    "prune_hardest": "the hardest pruned",
    "prune_stratified": "pruned, the others spread evenly over all difficulties",
}


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: what sets it apart from the others; empty if it is the only one.
        table: rows of `pipeline_lib.analyse.sweeps.summarise`, of one variant.
        xlabel: what a point is, in words.
    """

    title: str
    table: pd.DataFrame
    xlabel: str


def axis(experiment: str, table: pd.DataFrame) -> str:
    """Return what the points of an experiment are, for the axis below."""
    if experiment == "sliding_window":
        size = table.loc[table["point"].notna(), "kept_share"].iloc[0]
        return (
            f"where the window of {size:.0%} begins in the order of difficulty (%)\n← easiest examples kept          hardest kept →"
        )
    what = PRUNED.get(experiment, "the easiest pruned")
    return f"{what} (% of the training set)\n← most data kept          least data kept →"


def variants(table: pd.DataFrame, xlabel: str, prefix: str = "") -> list[Panel]:
    """Split a table into one panel for each way in which the experiment was run; all data stand in each.

    Args:
        table: as made by `summarise`.
        xlabel: what a point is.
        prefix: for the titles of all panels.
    """
    full, others = table[table["metric"] == "full"], table[table["metric"] != "full"]
    groups = list(others.groupby(["balanced", "budget"], sort=True))
    several = {key: len(others[key].unique()) > 1 for key in ("balanced", "budget")}
    panels = []
    for (balanced, budget), rows in groups:
        words = [prefix] if prefix else []
        if several["balanced"]:
            words.append("the same share of every class" if balanced else "classes as they fall")
        if several["budget"]:
            words.append("as many steps as on all data" if budget == "steps" else "as many epochs as on all data")
        panels.append(Panel(", ".join(words), pd.concat([rows, full]), xlabel))
    return panels


def draw(panels: list[Panel], title: str, names: dict[str, str] | None = None) -> Figure:
    """Draw test accuracy against the point, baselines dashed, all panels on one scale.

    Args:
        panels: at least one.
        title: of the whole figure: data set and question.
        names: what metrics are called in the legend, where not by their name.
    """
    wide = min(len(panels), COLUMNS)
    high = -(-len(panels) // wide)
    size = (9.5, 6) if wide == 1 else (7 * wide + 2, 5.4 * high + 0.6)
    figure, grid = plt.subplots(high, wide, figsize=size, sharey=True, squeeze=False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _panel(axes, panel, names or {})
        axes.tick_params(labelleft=True)
        axes.set_ylabel("test accuracy (%)")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    entries = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside right center", title="difficulty by")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(note(pd.concat([panel.table for panel in panels])), fontsize=9, color="#555555")
    return figure


def note(table: pd.DataFrame) -> str:
    """Say how many trainings stand behind a point, and what the bars are."""
    fewest, most = int(table["runs"].min()), int(table["runs"].max())
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    intervals = "bars: 95% t-interval of the mean" if most > 1 else "no intervals: a single run per point"
    return f"points: mean of {runs} training{'s' * (most > 1)}; {intervals}; baselines: dashed, their bars at the right"


def _panel(axes: Axes, panel: Panel, names: dict[str, str]) -> None:
    table = panel.table
    metrics = [metric for metric in dict.fromkeys(table["metric"]) if metric not in style.BASELINES]
    curves = table[table["point"].notna()]
    last = 100 * curves["point"].max()
    for place, metric in enumerate(metrics):
        rows, look = curves[curves["metric"] == metric].sort_values("point"), style.look(metric, metrics)
        x = 100 * rows["point"] + (place - (len(metrics) - 1) / 2) * DODGE
        axes.plot(x, 100 * rows["accuracy_mean"], label=names.get(metric, metric), linewidth=1.6, markersize=5.5, **look)
        _intervals(axes, x, rows, look["color"])
    for place, (name, (colour, dashes)) in enumerate(style.BASELINES.items()):
        rows = table[table["metric"] == name].sort_values("point")
        if rows.empty:
            continue
        if rows["point"].isna().all():  # one number for the whole axis
            share = rows["kept_share"].iloc[0]
            label = "all data" if name == "full" else f"random {share:.0%}"
            axes.axhline(100 * rows["accuracy_mean"].iloc[0], color=colour, linestyle=dashes, linewidth=1.8, label=label, zorder=1)
            _intervals(axes, [last + MARGIN * (1 + place / 2)], rows, colour)
        else:
            x = 100 * rows["point"]
            axes.plot(x, 100 * rows["accuracy_mean"], color=colour, linestyle=dashes, linewidth=1.8, label="random", zorder=1)
            _intervals(axes, x, rows, colour)
    axes.set_xlabel(panel.xlabel)
    axes.set_title(panel.title, loc="left")


def _intervals(axes: Axes, x, rows: pd.DataFrame, colour: str) -> None:
    """Thin bars from low to high; nothing where a single run gives no interval."""
    axes.vlines(x, 100 * rows["accuracy_low"], 100 * rows["accuracy_high"], color=colour, linewidth=1.3, alpha=0.7, zorder=1.5)
