"""The figure of the learned cut-off: margins over the epochs, and the histogram of their means."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

LABEL, OTHER = "#0072B2", "#D55E00"
AHEAD, BEHIND = "#56B4E9", "#E69F00"  # the area between the curves, by which of them leads
PARTS = {"labels": "#0072B2", "right labels": "#0072B2", "wrong labels": "#D55E00", "threshold examples": "#222222"}
PASSES = {"training": "of the augmented images, as they were trained on", "clean": "of a clean pass after each epoch"}


def draw(curves: pd.DataFrame, histogram: pd.DataFrame, cut_off: float, margins: str, dataset: str) -> Figure:
    """Draw the two logits of every group over the epochs, and below the AUM of all examples with the cut-off.

    Args:
        curves: as made by `pipeline_lib.analyse.margins.curves`.
        histogram: as made by `pipeline_lib.analyse.margins.histogram`, of the same run.
        cut_off: AUM below which a label is doubted.
        margins: "training" or "clean", where the logits come from.
        dataset: its name, for the title.
    """
    groups = list(dict.fromkeys(curves["group"]))
    figure = plt.figure(figsize=(3.4 * len(groups), 8.2))
    grid = figure.add_gridspec(2, len(groups), height_ratios=[1, 1.15])
    first = None
    for place, group in enumerate(groups):
        axes = figure.add_subplot(grid[0, place], sharey=first)
        first = first or axes
        _curves(axes, curves[curves["group"] == group])
        axes.tick_params(labelleft=axes is first)
    first.set_ylabel("logit, mean of the group")
    first.legend(loc="best", fontsize=9)
    _histogram(figure.add_subplot(grid[1, :]), histogram, cut_off)
    figure.suptitle(
        f"{dataset}: what a wrong label looks like in training, and where the cut-off lies", x=0.01, ha="left", fontsize=12
    )
    figure.supxlabel(
        f"one of the trainings; logits {PASSES[margins]}. AUM: the label's logit less the best other one, mean over the epochs: "
        "the\nshaded area per epoch. Threshold examples have a class of their own that nothing in the images supports; the "
        "cut-off is a percentile of their AUM",
        fontsize=9,
        color="#555555",
    )
    return figure


def _curves(axes: Axes, rows: pd.DataFrame) -> None:
    epoch, label, other = rows["epoch"], rows["label_logit"], rows["other_logit"]
    axes.fill_between(epoch, label, other, where=label >= other, color=AHEAD, alpha=0.35, linewidth=0, interpolate=True)
    axes.fill_between(epoch, label, other, where=label < other, color=BEHIND, alpha=0.35, linewidth=0, interpolate=True)
    axes.plot(epoch, label, color=LABEL, linewidth=2, label="the label's class")
    axes.plot(epoch, other, color=OTHER, linewidth=2, linestyle="--", label="best other class")
    axes.set_title(f"{rows['group'].iloc[0]}\n{rows['examples'].iloc[0]:,} examples, AUM {rows['aum'].iloc[0]:.2g}", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")


def _histogram(axes: Axes, table: pd.DataFrame, cut_off: float) -> None:
    edges = [*table["left"].unique(), table["right"].max()]
    for part in dict.fromkeys(table["part"]):
        counts = table.loc[table["part"] == part, "count"].to_numpy()
        name = f"{part} ({counts.sum():,})"
        if part == "threshold examples":
            axes.stairs(counts, edges, color=PARTS[part], linewidth=1.6, label=name, zorder=3)
        else:
            axes.stairs(counts, edges, fill=True, color=PARTS[part], alpha=0.55, label=name)
    axes.axvline(cut_off, color="#222222", linestyle=style.BASELINES["random"][1], linewidth=1.6)
    words = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top", "fontsize": 10}
    axes.annotate(f"← doubted   cut-off {cut_off:.2f} ", (cut_off, 0.97), **words)
    axes.set_yscale("symlog", linthresh=10)
    axes.set_ylim(0, 3 * table["count"].max())
    axes.set_xlabel("AUM (to the right: the label leads, easy)")
    axes.set_ylabel("training examples")
    axes.legend(loc="upper right")
