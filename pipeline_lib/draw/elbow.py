"""The curve behind the number of clusters."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

SMALL = 10  # below, an inertia needs digits behind the point


def draw(table: pd.DataFrame, dataset: str, features: str) -> Figure:
    """Draw inertia against the number of clusters, the chosen one marked.

    Args:
        table: as read by `pipeline_lib.analyse.elbow.read_curve`.
        dataset: its name, for the title.
        features: which of the SwAV features were clustered, "prototypes" or "backbone".
    """
    figure, axes = plt.subplots(figsize=(8, 5))
    colour = style.look("km")["color"]
    axes.plot(table["k"], table["inertia"], color=colour, marker="o", markersize=5, linewidth=1.6)
    [chosen] = table[table["chosen"]].itertuples()
    ends = table.iloc[[0, -1]]
    axes.plot(ends["k"], ends["inertia"], color="#999999", linewidth=1, linestyle=(0, (4, 2)))
    axes.axvline(chosen.k, color="black", linewidth=1.2, linestyle=(0, (1, 1.2)), zorder=1)
    axes.plot(chosen.k, chosen.inertia, "o", markersize=11, markerfacecolor="none", markeredgecolor="black", markeredgewidth=1.5)
    axes.annotate(
        f"chosen: {chosen.k} clusters", (chosen.k, table["inertia"].max()), xytext=(8, 0), textcoords="offset points", va="top"
    )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}" if table["inertia"].max() >= SMALL else "{x:.4g}")
    axes.set_xlabel("number of clusters k")
    axes.set_ylabel("inertia (sum of squared distances)")
    axes.set_title(f"{dataset}: how many clusters the SwAV features have ({features})", loc="left")
    figure.supxlabel(
        f"distances: from each example to its nearest centre; k-means was run at {len(table)} values of k\n"
        "chosen: the point farthest below the dashed line between both ends, axes scaled to 0..1",
        fontsize=9,
        color="#555555",
    )
    return figure
