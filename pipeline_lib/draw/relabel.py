"""The figure of trainings without the doubted labels."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

NAMES = {
    "threshold": "below the learned cut-off",
    "lead": "another class far more probable",
    "truth": "known to be wrong",
}
DOUBTED, RANDOM, FULL = "#0072B2", "#999999", "black"
ROW = 0.62  # inches


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw the test accuracy on all data, and for everyone who doubts without the doubted labels and without as many others.

    Args:
        table: as made by `pipeline_lib.analyse.relabel.summarise`.
        dataset: its name, for the title.
    """
    full, others = table[table["by"] == ""].iloc[0], table[table["by"] != ""]
    doubters = list(dict.fromkeys(others["by"]))
    figure, axes = plt.subplots(figsize=(9.6, 2.3 + ROW * (len(doubters) + 1)))
    axes.axvspan(100 * full["accuracy_low"], 100 * full["accuracy_high"], color="#eeeeee", zorder=0)
    axes.axvline(100 * full["accuracy_mean"], color=FULL, linestyle=":", linewidth=1.6, label="all data, as labelled")
    names = []
    for place, by in enumerate(reversed(doubters)):
        rows = others[others["by"] == by]
        for row in rows.to_dict("records"):
            at_random = "random" in row["point"]
            y = place - 0.14 if at_random else place + 0.14
            look = {"color": RANDOM if at_random else DOUBTED, "marker": "s" if at_random else "o"}
            label = row["point"] if place == 0 else None
            axes.hlines(y, 100 * row["accuracy_low"], 100 * row["accuracy_high"], color=look["color"], linewidth=1.8, alpha=0.8)
            axes.plot(100 * row["accuracy_mean"], y, linestyle="none", markersize=8, label=label, **look)
            if style.equal(row, "accuracy_"):
                axes.plot(100 * row["accuracy_mean"], y, markersize=8, markerfacecolor="white", **look)
        names.append(f"{NAMES.get(by, by)}\n{rows['left_out'].iloc[0]:,} of {full['kept']:,} left out")
    axes.set_yticks(range(len(doubters)), names)
    axes.set_ylim(-0.6, len(doubters) - 0.4)
    axes.set_xlabel("test accuracy (%)")
    handles, words = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], words[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.0), title="trained on the data")
    axes.set_title(f"{dataset}: does it help to leave out the labels that are doubted?", loc="left")
    runs = int(table["runs"].min())
    bars = f"bars, and the grey band: 95% t-interval; {style.HOLLOW_EQUAL}" if runs > 1 else "no intervals: a single run"
    figure.supxlabel(f"points: mean of {runs} training{'s' * (runs > 1)}; {bars}", fontsize=9, color="#555555")
    return figure
