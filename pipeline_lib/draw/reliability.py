"""The figure of how repeatable the scores are."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

ROW = 0.36  # inches for one metric


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw the agreement of two halves of the ensemble (filled) and the estimate for all of it (open), best on top.

    Args:
        table: as made by `pipeline_lib.analyse.reliability.table`.
        dataset: its name, for the title.
    """
    rows = table.sort_values("half_mean", na_position="first")
    seeds, splits = int(table["seeds"].iloc[0]), int(table["splits"].max())
    figure, axes = plt.subplots(figsize=(8.5, 2.2 + ROW * len(rows)))
    for place, row in enumerate(rows.to_dict("records")):
        look = style.look(row["metric"])
        if pd.isna(row["half_mean"]):
            axes.annotate(
                "not measured (see the table)", (0.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=9
            )
        axes.hlines(place, row["half_low"], row["half_high"], color=look["color"], linewidth=1.8, alpha=0.7)
        axes.plot(row["half_mean"], place, linestyle="none", markersize=7, **look)
        axes.plot(row["full"], place, linestyle="none", markersize=7, fillstyle="none", **look)
    axes.plot([], [], "o", color="#555555", label=f"two halves of {seeds // 2} seeds")
    axes.plot([], [], "o", color="#555555", fillstyle="none", label=f"all {seeds} seeds (estimate)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="agreement of")
    axes.set_yticks(range(len(rows)), rows["metric"])
    axes.set_xlim(min(0, rows["half_low"].min()) - 0.03 if rows["half_low"].notna().any() else 0, 1.03)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("Spearman correlation of the scores (1 = same order)")
    axes.set_title(f"{dataset}: would another ensemble find the same examples hard?", loc="left")
    figure.supxlabel(
        f"filled: mean over {splits} splits of the seeds, bars: the middle 95% of the splits; open: Spearman-Brown estimate",
        fontsize=9,
        color="#555555",
    )
    return figure
