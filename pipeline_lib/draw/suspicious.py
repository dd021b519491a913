"""Images of the examples whose labels are doubted most."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.analyse.ranking import LEAD
from pipeline_lib.draw.picture import COLOURS, LONGEST, blank, doubts, ending, short, show
from pipeline_lib.draw.style import plt

COLUMNS, MOST = 10, 60  # images in a row, and at most
SIDE, CAPTION = 1.3, 0.75  # inches of an image, and for the text above
FILE = 17  # characters of a file's name that fit over an image


def draw(table: pd.DataFrame, images: np.ndarray, dataset: str, tested: bool = False) -> Figure:
    """Draw the images at the top of the list, row by row.

    Args:
        table: as made by `pipeline_lib.analyse.belief.suspicious`.
        images: (N, C, H, W) uint8 images that the table is about.
        dataset: its name, for the title.
        tested: whether they are the test images.
    """
    shown = table.head(MOST)
    rows = max(1, -(-len(shown) // COLUMNS))
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(SIDE * COLUMNS + 0.3, (SIDE + CAPTION) * rows + 1.1), squeeze=False)
    for axes in grid.flat:
        blank(axes)
    for axes, example in zip(grid.flat, shown.itertuples(), strict=False):
        show(axes, images[example.index])
        label, suggested = short(example.label, LONGEST), short(example.suggested_label, LONGEST)
        words = f"{ending(str(example.file), FILE)}\nlabel {label}\nseems {suggested}\n{_times(example.lead)}× as probable"
        axes.set_title(words, fontsize=8, **doubts(example.likely_mislabelled, agrees=example.belief == example.label))
    if table.empty:
        grid[0, 0].text(0, 0.5, "none: every label is the ensemble's most probable class", transform=grid[0, 0].transAxes)
    figure.suptitle(f"{dataset}: the {'test ' if tested else ''}labels to look at first", x=0.01, ha="left")
    figure.supxlabel(
        "above an image: the end of its file's name (row by row as in the table), the label as given, the class that leads, and "
        "how many times as probable as the label it is (mean over seeds and epochs)\n"
        f"{COLOURS}; grey: in the end the label is believed\n"
        f"likely mislabelled: at least {LEAD} times as probable, {_counted(table, images)}",
        fontsize=9,
        color="#555555",
    )
    return figure


def _times(lead: float) -> str:
    return f"{lead:.1f}" if lead < 10 else f"{min(lead, 9999):.0f}"


def _counted(table: pd.DataFrame, images: np.ndarray) -> str:
    drawn = f", the first {MOST} of these drawn" if len(table) > MOST else ""
    return f"{table['likely_mislabelled'].sum():,} of {len(images):,}; another class leads in {len(table):,}{drawn}"
