"""The figure of how well the flags and the scores find wrong labels of several kinds."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from pipeline_lib.analyse.cutoffs import AUROC
from pipeline_lib.analyse.threshold import QUALITY
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

RULES = {  # rule -> its colour, marker, and name
    "threshold": ("#D55E00", "D", "learned cut-off (threshold examples)"),
    "lead": ("#333333", "o", "fixed rule (another class far more probable)"),
}
SPREAD = 0.16  # between the marks of two rules, of the distance between two data sets
TITLES = {
    "precision": "precision: flagged labels that are wrong",
    "recall": "recall: wrong labels that are flagged",
    "f1": "F1 of both",
}
LABELLED = 6  # scores with the largest AUROC that have a colour; the others are grey
GAP = 0.047  # AUROC between two names at the right


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw precision, recall and F1 of both rules, and the AUROC of every score, over the kinds of wrong labels.

    Args:
        table: rows of `pipeline_lib.analyse.cutoffs`.
        dataset: whose labels were made wrong, for the title.
    """
    kinds = list(dict.fromkeys(table["dataset"]))
    figure, panels = plt.subplots(2, 2, figsize=(max(9, 3.2 + 1.9 * len(kinds)), 8.6), sharex=True)
    for axes, measure in zip(panels.flat, QUALITY, strict=False):
        _rules(axes, table[table["measure"] == measure], kinds)
        axes.set_title(TITLES[measure], loc="left")
        axes.set_ylim(-0.02, 1.03)
    panels[0, 0].legend(loc="lower left", fontsize=9)
    _scores(panels[1, 1], table[table["measure"] == AUROC], kinds)
    shares = table.drop_duplicates("dataset").set_index("dataset")
    wrong = shares["wrong"] / shares["examples"]
    names = [f"{kind.removeprefix(f'{dataset}_')}\n{wrong[kind]:.0%} wrong" for kind in kinds]
    for axes in panels[1]:
        axes.set_xlim(-0.5, len(kinds) - 0.5)
        axes.set_xticks(range(len(kinds)), names, fontsize=9)
    figure.suptitle(f"{dataset} with wrong labels of several kinds: which flags can be trusted?", x=0.01, ha="left", fontsize=12)
    figure.supxlabel(
        "bars: 95% bootstrap intervals over the examples (one set of trainings per data set); AUROC: chance that a wrong label "
        "scores higher than a right one",
        fontsize=9,
        color="#555555",
    )
    return figure


def _rules(axes: Axes, rows: pd.DataFrame, kinds: list[str]) -> None:
    found = [by for by in RULES if by in set(rows["by"])]
    for place, by in enumerate(found):
        colour, marker, name = RULES[by]
        own = rows[rows["by"] == by].set_index("dataset").reindex(kinds)
        x = np.arange(len(kinds)) + (place - (len(found) - 1) / 2) * SPREAD
        axes.vlines(x, own["low"], own["high"], color=colour, linewidth=1.6, alpha=0.7)
        axes.plot(x, own["value"], linestyle="none", marker=marker, markersize=8, color=colour, label=name)


def _scores(axes: Axes, rows: pd.DataFrame, kinds: list[str]) -> None:
    values, low, high = (rows.pivot(index="dataset", columns="by", values=name).reindex(kinds) for name in ("value", "low", "high"))
    best = values.mean().sort_values(ascending=False).index[:LABELLED]
    for by, value in values.items():
        coloured = style.look(by) | {"linewidth": 1.4, "markersize": 6, "zorder": 3}
        look = coloured if by in best else {"color": "#bbbbbb", "linewidth": 1}
        axes.plot(range(len(kinds)), value, **look)
        if by in best:
            axes.vlines(range(len(kinds)), low[by], high[by], color=look["color"], linewidth=1.6, alpha=0.7)
    ends = values.iloc[-1].sort_values()
    for by, height in zip(ends.index, _apart(ends.to_numpy()), strict=True):
        axes.annotate(
            by,
            (len(kinds) - 1, ends[by]),
            (len(kinds) - 0.45, height),
            va="center",
            fontsize=8,
            color=style.look(by)["color"] if by in best else "#777777",
            arrowprops={"arrowstyle": "-", "color": "#cccccc", "linewidth": 0.6, "relpos": (0, 0.5), "shrinkA": 0},
            annotation_clip=False,
        )
    axes.axhline(0.5, color="#555555", linestyle=style.BASELINES["random"][1], linewidth=1.4)
    axes.set_ylim(-0.02, 1.03)
    axes.set_title(f"AUROC of the scores (coloured: the best {len(best)} on average; dashed: chance)", loc="left")


def _apart(heights: np.ndarray) -> np.ndarray:
    """Return ascending heights moved as far as needed to keep `GAP` between neighbours, from the middle of each crowd."""
    steps = GAP * np.arange(len(heights))
    apart = isotonic_regression(heights - steps).x + steps
    return apart - max(0, apart.max() - 1)  # the names stay beside their panel
