"""The figure of what makes up for unequal classes: accuracies on every test set, and differences to no correction."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.analyse.imbalance import BALANCED, NONE, OVERALL
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

LOOKS = {
    "none": ("no correction", {"color": "#555555", "marker": "o"}),
    "weighted_loss": ("weighted loss", {"color": "#0072B2", "marker": "s"}),
    "sampler": ("sampler", {"color": "#D55E00", "marker": "D"}),
    "logit_adjustment": ("logit adjustment", {"color": "#009E73", "marker": "^"}),
}
SPREAD = 0.7  # of the distance between two rows, taken up by the ways of one


def draw(table: pd.DataFrame, counts: dict[str, int], title: str) -> Figure:
    """Draw one row of panels per test set: accuracies at the left, differences to no correction at the right.

    Args:
        table: as of `pipeline_lib.analyse.imbalance.compare`.
        counts: class -> training examples; the largest is drawn first.
        title: of the whole figure: data set and question.
    """
    tests, ways = list(dict.fromkeys(table["test"])), list(dict.fromkeys(table["balance"]))
    rows = [OVERALL, BALANCED, *sorted(counts, key=counts.get, reverse=True)]
    height = (0.26 + 0.09 * len(ways)) * len(rows) + 0.9
    figure, grid = plt.subplots(len(tests), 2, figsize=(12.5, height * len(tests) + 0.9), squeeze=False)
    for test, (accuracies, differences) in zip(tests, grid, strict=True):
        there = table[table["test"] == test]
        for axes, column in ((accuracies, "accuracy"), (differences, "gain")):
            _dots(axes, there if column == "accuracy" else there[there["balance"] != NONE], column, rows, ways)
            axes.set_yticks(range(len(rows)), [_row_name(row, counts) for row in rows])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.axhline(1.5, color="#999999", linewidth=0.8)
        accuracies.set_title(test, loc="left")
        accuracies.set_xlabel("accuracy (%)")
        differences.axvline(0, color="#555555", linewidth=1)
        differences.set_yticklabels([])
        differences.set_xlabel("difference to no correction (percentage points)")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    runs = int(table["runs"].min())
    bars = (
        f"bars: 95% t-interval; {style.HOLLOW_EQUAL}; differences are paired by seed"
        if runs > 1
        else "no intervals: a single training"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    trainings = f"points: mean of {runs} training{'s' * (runs > 1)}"
    figure.supxlabel(f"{trainings}; {bars}; in brackets: training examples of the class", fontsize=9, color="#555555")
    return figure


def _row_name(row: str, counts: dict[str, int]) -> str:
    return f"{row} ({counts[row]:,})" if row in counts else row


def _dots(axes: Axes, table: pd.DataFrame, column: str, rows: list[str], ways: list[str]) -> None:
    for number, way in enumerate(ways):
        there = table[(table["balance"] == way) & table["measure"].isin(rows)]
        if there.empty:
            continue
        name, look = LOOKS[way]
        y = there["measure"].map(rows.index) + (number - (len(ways) - 1) / 2) * SPREAD / len(ways)
        axes.plot(100 * there[f"{column}_mean"], y, **look, linestyle="none", markersize=6, label=name)
        style.hollow(axes, 100 * there[f"{column}_mean"], y, style.equal(there, f"{column}_"), look, 6)
        axes.hlines(y, 100 * there[f"{column}_low"], 100 * there[f"{column}_high"], color=look["color"], linewidth=1.4, alpha=0.7)
