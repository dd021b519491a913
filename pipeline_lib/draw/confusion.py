"""The figure of which classes are confused, and how well each is recognised."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pipeline_lib.analyse.classes import EVERY, OVERALL
from pipeline_lib.draw import style
from pipeline_lib.draw.style import plt

NUMBERED = 20  # classes up to which a cell has room for its number
LISTED = 20  # confusions that are listed where cells have no numbers
DARK = 0.6  # beyond this, white digits are readable on the cell
TITLES = {"all": "the test set", "drawn": "the imbalanced test set"}
SHORT = 2  # letters of a name up to which it need not be turned
RIGHT, WRONG = "#0072B2", "#D55E00"


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw the matrix of every test set, the accuracy of each class beside its row, and for many classes the worst confusions.

    Args:
        table: as made by `pipeline_lib.analyse.classes.confusions`.
        dataset: its name, for the title.
    """
    test_sets = list(dict.fromkeys(table["test_set"]))
    names = list(dict.fromkeys(table.loc[(table["test_set"] == "all") & (table["true"] != EVERY), "true"]))
    many = len(names) > NUMBERED
    row = 0.13 if many else max(0.42, 3 / len(names))  # inches for one class
    side = row * len(names)
    widths = [side + 1.6, max(2.6, 0.4 * side), *([3.6] if many else [])]
    size = (sum(widths) + 1.4, len(test_sets) * (side + 1.7) + 0.7)
    figure, panels = plt.subplots(len(test_sets), len(widths), figsize=size, squeeze=False, width_ratios=widths)
    panels[0, 1].sharex(panels[-1, 1])
    for line, test_set in zip(panels, test_sets, strict=True):
        rows = table[table["test_set"] == test_set]
        _matrix(line[0], rows, names, TITLES[test_set])
        _accuracies(line[1], rows, names)
        if many:
            _worst(line[2], rows)
    runs = int(table["runs"].iloc[0])
    figure.suptitle(f"{dataset}: which classes are confused, after training on all data", x=0.01, ha="left", fontsize=12)
    bars = f"; bars: 95% t-interval of the mean; {style.HOLLOW_EQUAL}" if runs > 1 else "; no intervals: a single training"
    figure.supxlabel(f"mean of {runs} training{'s' * (runs > 1)}{bars}", fontsize=9, color="#555555")
    return figure


def _matrix(axes: Axes, rows: pd.DataFrame, names: list[str], title: str) -> None:
    """Each row a true class; colours grow with the root, so that rare confusions are seen."""
    pairs = rows[rows["true"] != EVERY]
    place = {name: position for position, name in enumerate(names)}
    shares = np.zeros((len(names), len(names)))
    shares[pairs["true"].map(place), pairs["predicted"].map(place)] = pairs["mean"]
    wrong = LinearSegmentedColormap.from_list("wrong", ["white", WRONG])
    right = LinearSegmentedColormap.from_list("right", ["white", RIGHT])
    diagonal = np.eye(len(names), dtype=bool)
    axes.imshow(np.where(diagonal, np.nan, np.sqrt(shares)), vmin=0, vmax=1, cmap=wrong, aspect="auto")
    axes.imshow(np.where(diagonal, shares, np.nan), vmin=0, vmax=1, cmap=right, aspect="auto")
    if len(names) <= NUMBERED:
        for (true, predicted), share in np.ndenumerate(shares):
            if share:
                colour = "white" if share > DARK else "black"
                text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
                axes.text(predicted, true, text, ha="center", va="center", color=colour, fontsize=9)
    trained = pairs.drop_duplicates("true").set_index("true")["trained"]
    small = 6 if len(names) > NUMBERED else 10
    axes.set_yticks(range(len(names)), [_label(name, trained) for name in names], fontsize=small)
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > SHORT else 0, fontsize=small)
    axes.set_ylabel("true class" + (" (training examples)" if trained.nunique() > 1 else ""))
    axes.set_xlabel("predicted class" + ("" if len(names) > NUMBERED else "; cells: % of the true class"))
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"On {title}: {int(pairs.drop_duplicates('true')['images'].sum()):,} images", loc="left")


def _label(name: str, trained: pd.Series) -> str:
    return f"{name} ({int(trained[name]):,})" if trained.nunique() > 1 and name in trained else name


def _accuracies(axes: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    right = rows[rows["true"] == rows["predicted"]].set_index("true").reindex(names)
    place = np.arange(len(names))
    axes.hlines(place, 100 * right["low"], 100 * right["high"], color=RIGHT, linewidth=1.6, alpha=0.7)
    size = 3 if len(names) > NUMBERED else 5.5
    axes.plot(100 * right["mean"], place, "o", color=RIGHT, markersize=size)
    style.hollow(axes, 100 * right["mean"], place, style.equal(right), {"color": RIGHT}, size)
    overall = rows[rows["true"] == EVERY].set_index("predicted")
    looks = (style.BASELINES["random"], style.BASELINES["full"])  # a dashed and a dotted line
    for measure, (colour, dashes) in zip(OVERALL, looks, strict=True):
        label = f"{measure.replace('_', ' ')}: {_interval(overall.loc[measure])}"
        axes.axvline(100 * overall.loc[measure, "mean"], color=colour, linestyle=dashes, linewidth=1.4, label=label)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(place, [""] * len(names))
    axes.set_xlabel("predicted right (%)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, borderaxespad=0)


def _interval(row: pd.Series) -> str:
    text = f"{100 * row['mean']:.1f}%"
    return text if np.isnan(row["low"]) else f"{text} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _worst(axes: Axes, rows: pd.DataFrame) -> None:
    """The most frequent confusions, from above."""
    wrong = rows[(rows["true"] != EVERY) & (rows["true"] != rows["predicted"])].sort_values("mean", ascending=False, kind="stable")
    wrong = wrong.head(LISTED)
    place = np.arange(len(wrong))
    axes.hlines(place, 100 * wrong["low"], 100 * wrong["high"], color=WRONG, linewidth=1.6, alpha=0.7)
    axes.plot(100 * wrong["mean"], place, "o", color=WRONG, markersize=5)
    style.hollow(axes, 100 * wrong["mean"], place, style.equal(wrong), {"color": WRONG}, 5)
    axes.set_yticks(place, [f"{true} → {predicted}" for true, predicted in zip(wrong["true"], wrong["predicted"], strict=True)])
    axes.set_ylim(len(wrong) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("taken for the other (% of the true class)")
    axes.set_title(f"The {len(wrong)} most frequent confusions", loc="left")
