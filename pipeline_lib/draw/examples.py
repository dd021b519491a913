"""Images of the easiest, the hardest and the doubted examples of one metric."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.analyse.examples import GROUPS
from pipeline_lib.draw.picture import COLOURS, LONGEST, blank, doubts, short, show
from pipeline_lib.draw.style import plt

SIDE = 1.3  # inches per image
CAPTION = 0.6  # inches per row of images for the text above
EMPTY = 0.4  # height of a row without images, relative to one with


def draw(table: pd.DataFrame, images: np.ndarray, each: int, doubted: int, dataset: str, metric: str) -> Figure:
    """Draw a row of images per group.

    Args:
        table: `group`, `index`, `label`, `score`, `belief`, `belief_probability`, `likely_mislabelled`, in the order of drawing.
        images: (N, C, H, W) uint8 training images.
        each: places in a row.
        doubted: how many examples have a doubtful label, shown or not.
        dataset, metric: for the title.
    """
    rows = [table[table["group"] == group] for group in GROUPS]
    heights = [1 if len(row) else EMPTY for row in rows]
    size = (SIDE * each + 0.6, (SIDE + CAPTION) * sum(heights) + 1)
    figure, grid = plt.subplots(len(GROUPS), each, figsize=size, height_ratios=heights, squeeze=False)
    for axes in grid.flat:
        blank(axes)
    for places, row, group in zip(grid, rows, GROUPS, strict=True):
        places[0].set_ylabel(group.replace(" ", "\n"), fontweight="bold")
        for axes, example in zip(places, row.itertuples(), strict=False):
            show(axes, images[example.index])
            _caption(axes, example)
    if not doubted:
        grid[-1, 0].text(0, 0.5, "  none: no label is doubted", va="center", transform=grid[-1, 0].transAxes, in_layout=False)
    figure.suptitle(f"{dataset}: the easiest and the hardest of {len(images):,} training examples by {metric}", x=0.01, ha="left")
    figure.supxlabel(
        f"label: as given; score: its {metric}, higher = harder; belief: the ensemble's most probable class at the last epoch and "
        f"its mean probability over the seeds\n{COLOURS}\n"
        f"likely mislabelled: {doubted:,} of {len(images):,} examples{', the hardest first' if doubted else ''}",
        fontsize=9,
        color="#555555",
    )
    return figure


def _caption(axes, example) -> None:
    label, belief = short(example.label, LONGEST), short(example.belief, LONGEST)
    words = f"label {label}\nscore {example.score:.3g}\nbelief {belief}\n{example.belief_probability:.0%}"
    axes.set_title(words, fontsize=8.5, **doubts(example.likely_mislabelled, agrees=example.belief == example.label))
