"""The figures of experiments that train at several points: test accuracy against the point, one line per metric."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.analyse.sweeps import BALANCING, REPEATED
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DODGE = 0.04  # between the bars of two metrics, in distances to the next point, so that intervals do not hide one another
WIDEST = 0.5  # all bars of a point together, in distances to the next point
MARGIN = 0.04  # right of the last point, where the baselines show their intervals, in widths of the panel
DENSE = 4  # times closer than the widest distance, the points of a part are drawn once more, enlarged (chosen)
FEWEST = 4  # points in such a part (chosen)
CROWDED = 0.1  # of what the means of a lone panel span: with half of them so near the best, the upper part is enlarged (chosen)
BELOW = 0.2  # of the means may lie below the enlarged part (chosen)
COLUMNS = 2  # panels side by side
PRUNED = {
    "prune_hardest": "the hardest pruned",
    "prune_stratified": "pruned: the hardest left out, the others taken evenly",
}


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: what sets it apart from the others; empty if it is the only one.
        table: rows of `pipeline_lib.analyse.sweeps.summarise`, of one variant.
        xlabel: what a point is, in words.
        enlarged: whether it repeats a part of the panel before it, on a scale of its own.
        lowest: test accuracy (%) at which its scale begins, if not where the lowest point is.
    """

    title: str
    table: pd.DataFrame
    xlabel: str
    enlarged: bool = False
    lowest: float | None = None


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

    Where the points are dense only in a part, that part follows as a panel of its own.

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
            words.append(BALANCING[balanced])
        if several["budget"]:
            words.append("as many steps as on all data" if budget == "steps" else "as many epochs as on all data")
        panels.append(Panel(", ".join(words), pd.concat([rows, full]), xlabel))
        part = dense_part(rows["point"].dropna().unique())
        if part:
            low, high = part
            inside = rows[rows["point"].between(low, high) | rows["point"].isna()]
            words.append(f"enlarged: {100 * low:.3g} to {100 * high:.3g}%")
            panels.append(Panel(", ".join(words), pd.concat([inside, full]), xlabel, enlarged=True))
    return panels


def dense_part(points: np.ndarray) -> tuple[float, float] | None:
    """Return the ends of the longest part in which points are much denser than elsewhere, if there is one.

    Args:
        points: (P,) in any order, each once.
    """
    points = np.sort(points.astype(float))
    if len(points) < FEWEST:
        return None
    gaps = np.diff(points)
    dense = np.flatnonzero(gaps * DENSE <= gaps.max())
    part = max(np.split(dense, np.flatnonzero(np.diff(dense) > 1) + 1), key=len)
    return (points[part[0]], points[part[-1] + 1]) if len(part) >= FEWEST - 1 else None


def upper_part(panel: Panel) -> list[Panel]:
    """Return the panel once more for its upper part alone, if most points are crowded there; else nothing."""
    means = 100 * panel.table.loc[panel.table["point"].notna(), "accuracy_mean"]
    if means.max() - means.median() >= CROWDED * np.ptp(means):
        return []
    lowest = np.floor(min(means.quantile(BELOW), means.max() - 1))  # a percentage point at least
    return [replace(panel, title=f"enlarged: test accuracy above {lowest:.0f}%", enlarged=True, lowest=lowest)]


def draw(panels: list[Panel], title: str, names: dict[str, str] | None = None) -> Figure:
    """Draw test accuracy against the point, baselines grey and black; all panels on one scale, all enlarged ones on another.

    Where most points of a lone panel crowd at its upper edge, they are drawn once more, enlarged.

    Args:
        panels: at least one.
        title: of the whole figure: data set and question.
        names: what metrics are called in the legend, where not by their name.
    """
    if len(panels) == 1:
        panels = [*panels, *upper_part(panels[0])]
    wide = min(len(panels), COLUMNS)
    high = -(-len(panels) // wide)
    size = (9.5, 6) if wide == 1 else (7 * wide + 2, 5.4 * high + 0.6)
    figure, grid = plt.subplots(high, wide, figsize=size, squeeze=False)
    scales = {}
    for axes, panel in zip(grid.flat, panels, strict=False):
        if scales.setdefault(panel.enlarged, axes) is not axes:
            axes.sharey(scales[panel.enlarged])
        _panel(axes, panel, names or {})
        axes.set_ylabel("test accuracy (%)")
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    entries = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside right center", title="difficulty by")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(note(pd.concat([panel.table for panel in panels])), fontsize=9, color="#555555")
    return figure


def note(table: pd.DataFrame) -> str:
    """Say how many trainings stand behind a point, what the bars are, and what a hollow point is if there is one."""
    fewest, most = int(table["runs"].min()), int(table["runs"].max())
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    intervals = (
        f"bars, beside their points: 95% t-interval of the mean, {style.UNLESS_EQUAL}"
        if most > 1
        else "no intervals: a single run per point"
    )
    anew = "; new each epoch: solid grey" if REPEATED in set(table["metric"]) else ""
    at_right = f"\nrandom: dashed{anew}; all data: dotted, its bar at the right"
    if table.loc[table["metric"] == "random", "point"].isna().any():
        at_right = f"\nrandom: dashed{anew}; all data: dotted; their bars at the right"
    hollow = f"; {style.HOLLOW}" if (_hollow(table) & table["point"].notna()).any() else ""
    return f"points: mean of {runs} training{'s' * (most > 1)}; {intervals}{at_right}{hollow}"


def numbered(names: dict[str, str], clusters: dict[str, int]) -> dict[str, str]:
    """Add to the names of metrics how many clusters they have, where the name does not tell.

    Args:
        names: metric -> what it is called.
        clusters: metric -> number of clusters.
    """
    return {
        metric: name if metric not in clusters or name.endswith(f" {clusters[metric]}") else f"{name} ({clusters[metric]})"
        for metric, name in names.items()
    }


def _hollow(rows: pd.DataFrame) -> pd.Series:
    return rows["classes_missing"] > 0


def _panel(axes: Axes, panel: Panel, names: dict[str, str]) -> None:
    table = panel.table
    curves = table[table["point"].notna()]
    baselines = [name for name in style.BASELINES if name in set(table["metric"])]
    metrics = [metric for metric in dict.fromkeys(curves["metric"]) if metric not in baselines]
    lines = [*metrics, *(name for name in baselines if name in set(curves["metric"]))]
    points = np.sort(100 * curves["point"].unique().astype(float))
    width = np.ptp(points) or 100  # a single point has none
    for place, name in enumerate(lines):
        rows = curves[curves["metric"] == name].sort_values("point")
        x = 100 * rows["point"]
        aside = (place - (len(lines) - 1) / 2) * _dodge(points, len(lines))[x].to_numpy()
        if name in baselines:
            look = {**style.baseline(name), "zorder": 1, "label": style.BASELINE_NAMES[name]}
        else:
            look = {**style.look(name), "linewidth": 1.6, "markersize": 5.5, "label": names.get(name, name)}
        _line(axes, x, rows, look, aside)
    for place, name in enumerate(baselines):
        if name in lines:
            continue
        rows, look = table[table["metric"] == name], style.baseline(name)  # one number for the whole axis
        label = style.BASELINE_NAMES[name].replace("random", f"random {rows['kept_share'].iloc[0]:.0%}")
        axes.axhline(100 * rows["accuracy_mean"].iloc[0], label=label, zorder=1, **look)
        _intervals(axes, [points[-1] + MARGIN * (1 + place / 2) * width], rows, look["color"])
    axes.set_xlabel(panel.xlabel)
    axes.set_title(panel.title, loc="left")
    if panel.lowest is not None:
        highest = np.nanmax(100 * table[["accuracy_mean", "accuracy_high"]])
        axes.set_ylim(panel.lowest, highest + 0.05 * (highest - panel.lowest))


def _dodge(points: np.ndarray, metrics: int) -> pd.Series:
    """Return how far apart the bars of two metrics stand at every point: less where points are close together."""
    gaps = np.diff(points, prepend=-np.inf, append=np.inf)
    nearest = np.minimum(gaps[:-1], gaps[1:])
    step = min(DODGE, WIDEST / max(metrics - 1, 1))
    return pd.Series(np.where(np.isfinite(nearest), step * nearest, 0), index=points)


def _line(axes: Axes, x: pd.Series, rows: pd.DataFrame, look: dict, aside: np.ndarray | float = 0) -> None:
    """A line with its intervals, its points hollow where a class is missing.

    Only the intervals stand aside from their place: where curves are steep, a line that is shifted seems to be above another.
    """
    axes.plot(x, 100 * rows["accuracy_mean"], **look)
    _intervals(axes, x + aside, rows, look["color"])
    if _hollow(rows).any():
        style.hollow(axes, x, 100 * rows["accuracy_mean"], _hollow(rows), look)


def _intervals(axes: Axes, x, rows: pd.DataFrame, colour: str) -> None:
    """Thin bars from low to high; nothing where a single run gives no interval."""
    axes.vlines(x, 100 * rows["accuracy_low"], 100 * rows["accuracy_high"], color=colour, linewidth=1.3, alpha=0.7, zorder=1.5)
