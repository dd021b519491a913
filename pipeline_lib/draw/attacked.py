"""Test images before and after attacks, and what the attacks have changed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline_lib.draw.attacks import how
from pipeline_lib.draw.picture import blank, short, show
from pipeline_lib.draw.style import plt

SIDE = 1.5  # inches per image
WORDS = 0.4  # inches above an image that has words
RIGHT, WRONG = "#333333", "#D55E00"
LONGEST = 12  # characters of a class name that fit over an image
LEVELS = 255
FRAME = "#999999"


def draw(table: pd.DataFrame, images: np.ndarray, attacks: Mapping[str, dict], dataset: str) -> Figure:
    """Draw the originals, and below them for each attack the changed images and the changes enlarged.

    Args:
        table: `row` (0: the original), `column`, `attack`, `epsilon`, `label`, `prediction`, `probability`, `largest_change`.
        images: (rows, columns, C, H, W) float pixels of 0..1.
        attacks: name -> settings.
        dataset: its name, for the title.
    """
    down, across = 1 + 2 * len(attacks), images.shape[1]
    size = (SIDE * across + 1.4, SIDE * down + WORDS * (1 + len(attacks)) + 1.5)
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False)
    for place in table.itertuples():
        picture = images[place.row, place.column]
        axes = grid[max(0, 2 * place.row - 1), place.column]
        show(axes, np.round(picture * LEVELS).astype(np.uint8))
        _words(axes, place)
        if place.row:
            change = picture - images[0, place.column]
            _enlarged(grid[2 * place.row, place.column], change, table.loc[table["row"] == place.row, "largest_change"].max())
    grid[0, 0].set_ylabel("original", fontweight="bold")
    for row, name in enumerate(attacks, 1):
        [epsilon] = table.loc[table["row"] == row, "epsilon"].unique()
        largest = table.loc[table["row"] == row, "largest_change"].max()
        grid[2 * row - 1, 0].set_ylabel(f"after {name}\nε = {epsilon:g}", fontweight="bold")
        grid[2 * row, 0].set_ylabel(f"its change\n{0.5 / largest:.2g} times\nenlarged" if largest else "its change\n(none)")
    title = f"{dataset}: test images before and after attacks, as a network trained on all data sees them"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    figure.supxlabel(_note(attacks), fontsize=9, color="#555555")
    return figure


def _note(attacks: Mapping[str, dict]) -> str:
    bound = {"linf": "no pixel changes by more than ε", "l2": "the Euclidean length of the change is at most ε"}
    lines = [f"{name}: {how(settings)}; {bound[settings['norm']]}" for name, settings in attacks.items()]
    head = (
        "above each image: what the network takes it for, and how sure it is; orange: wrong\n"
        "changes: grey is no change, brighter is brighter than the original, darker is darker; pixels run from 0 to 1"
    )
    return "\n".join([head, *lines])


def _words(axes: Axes, place) -> None:
    wrong = place.prediction != place.label
    label = f"label {short(str(place.label), LONGEST)}\n" if place.row == 0 else ""
    axes.set_title(
        f"{label}seen as {short(str(place.prediction), LONGEST)}, {place.probability:.0%}",
        fontsize=8.5,
        color=WRONG if wrong else RIGHT,
        fontweight="bold" if wrong else "normal",
    )


def _enlarged(axes: Axes, change: np.ndarray, largest: float) -> None:
    """Show a change around a middle grey, the largest of the row black or white."""
    if largest:
        grey = 0.5 + change / (2 * largest)
        show(axes, np.round(grey * LEVELS).astype(np.uint8))
        axes.spines[:].set(visible=True, color=FRAME)  # the page is as white as the brightest change
    else:
        blank(axes)
