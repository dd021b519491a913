"""The figure of how well the metrics find wrong labels."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

PANELS = {  # measure -> its axis, in words
    "auroc": "AUROC",
    "average_precision": "average precision",
    "precision_at_1": "wrong labels among the\nhardest 1% (%)",
    "precision_at_5": "wrong labels among the\nhardest 5% (%)",
    "precision_at_10": "wrong labels among the\nhardest 10% (%)",
    "missed": "wrong labels missed (%)",
}
AS_NUMBERS = ("auroc", "average_precision")  # the others are in percent
ROW = 0.3  # inches for one metric


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw one panel per measure, metrics sorted by AUROC, chance dashed.

    Args:
        table: as made by `pipeline_lib.analyse.noise.detect`.
        dataset: its name, for the title.
    """
    rows = table.sort_values("auroc")
    examples, wrong = int(table["examples"].iloc[0]), int(table["wrong"].iloc[0])
    share = wrong / examples
    chance = dict.fromkeys(PANELS, share) | {"auroc": 0.5, "missed": 1 - share}
    figure, panels = plt.subplots(2, 3, figsize=(12, 3.4 + 2 * ROW * len(rows)), sharey=True)
    for axes, (measure, label) in zip(panels.flat, PANELS.items(), strict=True):
        unit = 1 if measure in AS_NUMBERS else 100
        for place, row in enumerate(rows.to_dict("records")):
            look = style.look(row["metric"])
            low, high = unit * row[f"{measure}_low"], unit * row[f"{measure}_high"]
            axes.hlines(place, low, high, color=look["color"], linewidth=1.6, alpha=0.7)
            axes.plot(unit * row[measure], place, linestyle="none", markersize=6, **look)
        colour, dashes = style.BASELINES["random"]
        axes.axvline(unit * chance[measure], color=colour, linestyle=dashes, linewidth=1.6, zorder=1)
        axes.set_xlim(-0.03 * unit, 1.03 * unit)
        axes.set_xlabel(f"{label}\n{'← better' if measure == 'missed' else 'better →'}")
    panels[0, 0].set_yticks(range(len(rows)), rows["metric"])
    panels[0, 0].set_ylim(-0.6, len(rows) - 0.4)
    figure.suptitle(
        f"{dataset}: do hard examples have wrong labels? {wrong:,} of {examples:,} labels are known to be wrong",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    figure.supxlabel(
        f"missed: not among the {wrong:,} hardest; bars: 95% bootstrap intervals over examples (one ensemble); dashed: chance",
        fontsize=9,
        color="#555555",
    )
    return figure
