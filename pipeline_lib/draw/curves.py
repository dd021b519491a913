"""The figures of experiments that follow the test accuracy from epoch to epoch."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib.analyse.sweeps import BALANCING
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

SPREAD = 0.72  # of the distance between two metrics, taken up by the dots of one
BAND = 0.12  # opacity of an interval behind a line (chosen: eight of them can still be seen through)
ALL_IN = "#333333"  # from here on a curriculum has all data


def draw(panels: dict[str, pd.DataFrame], title: str) -> Figure:
    """Draw test accuracy against the epoch, and at the right the last epoch alone, enlarged, with its intervals.

    Args:
        panels: title -> rows of `pipeline_lib.analyse.sweeps.curves`, the baselines among them.
        title: of the whole figure: data set and question.
    """
    metrics = list(dict.fromkeys(name for table in panels.values() for name in table["metric"]))
    wide = len(panels) + 1
    figure, grid = plt.subplots(
        1, wide, figsize=(5.6 * len(panels) + 4.6, 5.8), squeeze=False, gridspec_kw={"width_ratios": [5.6] * len(panels) + [4.2]}
    )
    for axes, (name, table) in zip(grid[0], panels.items(), strict=False):
        if axes is not grid[0][0]:
            axes.sharey(grid[0][0])
        _curves(axes, table)
        axes.set_title(name, loc="left")
    _last_epoch(grid[0][-1], panels, metrics)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", title="difficulty by")
    runs = int(min(table["runs"].min() for table in panels.values()))
    bars = f"bands and bars: 95% t-interval, {style.UNLESS_EQUAL}" if runs > 1 else "no intervals: a single run"
    if any(_all_in(table) is not None for table in panels.values()):
        bars += "; vertical line: from here on every epoch trains on all data"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(f"lines and points: mean of {runs} training{'s' * (runs > 1)}; {bars}", fontsize=9, color="#555555")
    return figure


def _line(name: str) -> dict:
    if name in style.BASELINES:
        return {**style.baseline(name), "label": style.BASELINE_NAMES[name]}
    return {**style.look(name), "linewidth": 1.5, "markersize": 4, "label": name}


def _curves(axes: Axes, table: pd.DataFrame) -> None:
    for name in dict.fromkeys(table["metric"]):
        rows, look = table[table["metric"] == name].sort_values("epoch"), _line(name)
        axes.plot(rows["epoch"], 100 * rows["accuracy_mean"], **look)
        low, high = 100 * rows["accuracy_low"], 100 * rows["accuracy_high"]
        axes.fill_between(rows["epoch"], low, high, color=look["color"], alpha=BAND, linewidth=0)
    epoch = _all_in(table)
    if epoch is not None:
        axes.axvline(epoch, color=ALL_IN, linewidth=1.6, zorder=1.5)  # over the bands, under the lines
        axes.annotate(" all data in", (epoch, 0.02), xycoords=("data", "axes fraction"), fontsize=9, color=ALL_IN)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy (%)")


def _all_in(table: pd.DataFrame) -> int | None:
    """Return from which epoch on a curriculum has all data; None if the share in use does not grow."""
    shares = table[table["metric"] != "full"].groupby("epoch")["kept_share"].min()
    return int(shares.index[shares == 1][0]) if shares.iloc[0] < shares.iloc[-1] == 1 else None


def _last_epoch(axes: Axes, panels: dict[str, pd.DataFrame], metrics: list[str]) -> None:
    """Dots with intervals, best at the top; of several panels the first is filled, the others hollow below it.

    A baseline that is the same in several panels is drawn once.
    """
    last = {name: table[table["epoch"] == table["epoch"].max()].set_index("metric") for name, table in panels.items()}
    first = next(iter(last.values()))
    order = sorted(metrics, key=lambda metric: first["accuracy_mean"].get(metric, 0))
    variants = {metric: {_variant(rows.loc[metric]) for rows in last.values() if metric in rows.index} for metric in order}
    baselines = set()
    for place, rows in enumerate(last.values()):
        for height, metric in enumerate(order):
            if metric not in rows.index:
                continue
            look, row = _line(metric), rows.loc[metric]
            if metric in style.BASELINES:
                if (metric, _variant(row)) in baselines:
                    continue
                baselines.add((metric, _variant(row)))
            alone = metric in style.BASELINES and len(variants[metric]) == 1
            y = height if alone else height + ((len(last) - 1) / 2 - place) * SPREAD / len(last)
            fill = look["color"] if place == 0 else "white"
            axes.plot(
                100 * row["accuracy_mean"], y, look.get("marker", "d"), color=look["color"], markerfacecolor=fill, markersize=7
            )
            axes.hlines(y, 100 * row["accuracy_low"], 100 * row["accuracy_high"], color=look["color"], linewidth=1.3, alpha=0.7)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_yticks(range(len(order)), [style.tick(name) for name in order])
    axes.set_xlabel("test accuracy after the last epoch (%)")
    names = list(last)
    several = {1: "", 2: f"\n(hollow: {names[-1]})"}.get(len(names), "\n(downwards: the panels from the left)")
    axes.set_title("after the last epoch" + several, loc="left")


def _variant(row: pd.Series) -> tuple[bool, str]:
    return row["balanced"], row["budget"]


def panels(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split a table into panels: one for each variant and, of a curriculum, for each end that it begins at.

    Args:
        table: as made by `pipeline_lib.analyse.sweeps.curves`.

    Returns:
        Title (empty where there is nothing to tell apart) -> rows, the baselines in each.
    """
    is_baseline = table["metric"].isin(style.BASELINES)
    own, full = table[~is_baseline], table[table["metric"] == "full"]
    split = {}
    for (balanced, budget), rows in own.groupby(["balanced", "budget"], sort=True):
        random = table[is_baseline & (table["balanced"] == balanced) & (table["budget"] == budget) & (table["metric"] != "full")]
        words = [BALANCING[balanced]] * (own["balanced"].nunique() > 1)
        words += [f"as many {budget} as on all data"] * (own["budget"].nunique() > 1)
        several = rows["point"].nunique() > 1
        for point, there in rows.groupby("point", sort=True):
            title = ", ".join([*([f"begins with the {point}"] if several else []), *words])
            split[title] = pd.concat([there, random, full])
    return split
