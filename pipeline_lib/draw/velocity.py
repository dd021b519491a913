"""The figure of how fast tangent kernels turn."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

DARKEST, LIGHTEST = 0.05, 0.85  # of the colour map: yellow on white is not seen


def draw(table: pd.DataFrame, dataset: str, metric: str, examples: int) -> Figure:
    """Draw velocity against the difficulty of a group, one line per epoch.

    Args:
        table: as made by `pipeline_lib.analyse.landscape.velocities`.
        dataset: its name, for the title.
        metric: that orders the examples.
        examples: in each group.
    """
    figure, axes = plt.subplots(figsize=(9, 5.5))
    epochs = sorted(table["epoch"].unique())
    colours = plt.get_cmap("viridis")(np.linspace(DARKEST, LIGHTEST, len(epochs)))
    for place, (epoch, colour) in enumerate(zip(epochs, colours, strict=True)):
        rows = table[table["epoch"] == epoch].sort_values("percentile")
        marker = style.MARKERS[place % len(style.MARKERS)]
        axes.plot(rows["percentile"], rows["mean"], color=colour, marker=marker, linewidth=1.6, label=f"{epoch} to {epoch + 1}")
        axes.vlines(rows["percentile"], rows["low"], rows["high"], color=colour, linewidth=1.3, alpha=0.7)
    axes.set_yscale("log")
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"middle of the group in the order of difficulty by {metric} (%)\n← easiest          hardest →")
    axes.set_ylabel("kernel velocity (1 − cosine, per epoch)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="from epoch")
    axes.set_title(f"{dataset}: how fast the tangent kernel turns, by difficulty", loc="left")
    runs = int(table["runs"].min())
    bars = "bars: 95% t-interval" if runs > 1 else "no intervals: a single training"
    figure.supxlabel(
        f"points: groups of {examples} neighbours in the order of difficulty, mean over {runs} training{'s' * (runs > 1)}; {bars}",
        fontsize=9,
        color="#555555",
    )
    return figure
