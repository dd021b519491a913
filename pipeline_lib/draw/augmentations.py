"""Images above what the training makes of them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.config import Augmentation
from pipeline_lib.draw.picture import short, show
from pipeline_lib.draw.style import plt

SIDE = 1.35  # inches per image
LONGEST = 14  # characters of a class name that fit over an image


def draw(table: pd.DataFrame, images: np.ndarray, settings: Augmentation, dataset: str) -> Figure:
    """Draw the originals and below each its changed versions.

    Args:
        table: `row` (0: the original), `column`, `label`, `crop_rows`, `crop_columns`, `flip`, `angle`.
        images: (rows, columns, C, H, W) uint8.
        settings: the recipe's augmentation.
        dataset: its name, for the title.
    """
    down, across = images.shape[:2]
    figure, grid = plt.subplots(down, across, figsize=(SIDE * across + 0.6, (SIDE + 0.3) * down + 1), squeeze=False)
    for place in table.itertuples():
        axes = grid[place.row, place.column]
        show(axes, images[place.row, place.column])
        axes.set_title(short(place.label, LONGEST) if place.row == 0 else _change(place), fontsize=9 if place.row == 0 else 7.5)
    grid[0, 0].set_ylabel("original", fontweight="bold")
    for row in range(1, down):
        grid[row, 0].set_ylabel(f"draw {row}", fontweight="bold")
    title = f"{dataset}: training images as the recipe changes them anew in every epoch\n{_words(settings)}"
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel(_key(settings), fontsize=9, color="#555555")
    return figure


def _key(settings: Augmentation) -> str:
    """What the signs above the images mean; nothing of what the recipe does not do."""
    shift, mirror, angle = "the crop's shift in pixels (right, down)", "↔ mirrored", "angle of the rotation"
    used = [word for word, on in ((shift, settings.crop_padding), (mirror, settings.flip), (angle, settings.rotation)) if on]
    return f"above each: {', '.join(used)}" if used else ""


def _words(settings: Augmentation) -> str:
    """The settings in words, in the order in which they are applied."""
    parts = []
    if settings.crop_padding:
        parts.append(f"crop moved by up to {settings.crop_padding} pixels (border mirrored)")
    if settings.flip:
        parts.append("mirrored with probability 1/2")
    if settings.rotation:
        parts.append(f"rotated by up to {settings.rotation:g}°")
    return ", ".join(parts) or "the recipe has no augmentation"


def _change(place) -> str:
    """What was done to one image, in the order in which it was done; nothing for what left it alone."""
    parts = []
    if place.crop_rows or place.crop_columns:
        parts.append(f"{place.crop_columns:+d}, {place.crop_rows:+d}")
    if place.flip:
        parts.append("↔")
    if place.angle:
        parts.append(f"{round(place.angle):+d}°")
    return "  ".join(parts) or "unchanged"
