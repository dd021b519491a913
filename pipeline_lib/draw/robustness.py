"""Test accuracy under attack, and its difference to that of all data, against the bound of the attack."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.analyse.sweeps import BALANCING, VARIANT
from pipeline_lib.draw import style
from pipeline_lib.draw.attacks import how
from pipeline_lib.draw.style import plt

WIDTH, HEIGHT = 4.9, 5.4  # inches of a panel and the one below it
BELOW = 0.55  # height of the lower one, of the upper
DODGE = 0.05  # between the bars of two lines, in distances between two bounds, so that intervals do not hide one another
BOUNDED = {
    "linf": "largest change of a pixel, ε (1: from black to white)",
    "l2": "Euclidean length of the change of all pixels, ε",
}


def draw(table: pd.DataFrame, attacks: Mapping[str, dict], dataset: str) -> Figure:
    """Draw two panels for every attack (across) and share pruned (down): accuracies, and differences to all data.

    Args:
        table: as made by `pipeline_lib.analyse.robustness.summarise`.
        attacks: name -> settings.
        dataset: its name, for the title.
    """
    pruned, full = table[table["metric"] != "full"], table[table["metric"] == "full"]
    rows = list(pruned.groupby([*VARIANT, "point"], sort=True))
    size = (WIDTH * len(attacks) + 1.8, HEIGHT * len(rows) + 1.2)
    heights = [1, BELOW] * len(rows)
    figure, grid = plt.subplots(2 * len(rows), len(attacks), figsize=size, squeeze=False, sharex="col", height_ratios=heights)
    for down, ((balanced, budget, share), at_share) in enumerate(rows):
        panel = pd.concat([at_share, full])
        upper, lower = grid[2 * down], grid[2 * down + 1]
        for across, (name, settings) in enumerate(attacks.items()):
            under = panel[panel["attack"] == name].sort_values("epsilon")
            words = _variant(pruned, balanced, budget)
            upper[across].set_title(f"{name}: {how(settings)}\n{share:.0%} of the easiest pruned{words}", loc="left", fontsize=11)
            _lines(upper[across], under, "accuracy")
            _lines(lower[across], under, "over_full")
            lower[across].tick_params(labelbottom=True)
            lower[across].set_xlabel(BOUNDED[settings["norm"]])
        upper[0].set_ylabel("test accuracy under attack (%)")
        lower[0].set_ylabel("difference to all data\n(percentage points)")
    _same_scale(grid[::2])
    _same_scale(grid[1::2])
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", title="trained on what\nis left by")
    figure.suptitle(f"{dataset}: robustness to adversarial attacks of networks trained on less", x=0.01, ha="left")
    figure.supxlabel(_note(table), fontsize=9, color="#555555")
    return figure


def _same_scale(panels: np.ndarray) -> None:
    """Give panels the limits of all their values together, with a margin."""
    low, high = np.array([axes.get_ylim() for axes in panels.flat]).T
    for axes in panels.flat:
        axes.set_ylim(low.min(), high.max())


def _variant(pruned: pd.DataFrame, balanced: bool, budget: str) -> str:
    """What sets a row of panels apart, where prune_easiest is run in several ways."""
    words = ""
    if pruned["balanced"].nunique() > 1:
        words += f", {BALANCING[balanced]}"
    if pruned["budget"].nunique() > 1:
        words += f", as many {budget} as on all data"
    return words


def _note(table: pd.DataFrame) -> str:
    fewest, most = int(table["runs"].min()), int(table["runs"].max())
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    bars = f"bars: 95% t-interval of the mean, {style.UNLESS_EQUAL}" if most > 1 else "no intervals: a single network per point"
    mean = f"points: mean of {runs} network{'s' * (most > 1)}, each attacked by its own gradients; ε = 0: no attack"
    return f"{mean}; {bars}; differences are paired by seed"


def _lines(axes: Axes, table: pd.DataFrame, value: str) -> None:
    """Draw `{value}_mean` with the intervals against the bound, in per cent; all data as a line of zeros where they are 0."""
    names = [name for name in dict.fromkeys(table["metric"]) if name not in style.BASELINES]
    names = [*names, *(name for name in style.BASELINES if name in set(table["metric"]))]
    gap = np.diff(np.sort(table["epsilon"].unique())).min()
    for place, name in enumerate(names):
        rows, look = table[table["metric"] == name], _look(name)
        if rows[f"{value}_mean"].isna().all():
            axes.axhline(0, **look)
            continue
        axes.plot(rows["epsilon"], 100 * rows[f"{value}_mean"], label=style.BASELINE_NAMES.get(name, name), **look)
        beside = rows["epsilon"] + (place - (len(names) - 1) / 2) * DODGE * gap
        low, high = 100 * rows[f"{value}_low"], 100 * rows[f"{value}_high"]
        axes.vlines(beside, low, high, color=look["color"], linewidth=1.3, alpha=0.7)


def _look(name: str) -> dict:
    if name in style.BASELINES:
        return style.baseline(name)
    return {**style.look(name), "linewidth": 1.5, "markersize": 5}
