"""Images and names of a data set inside a figure."""

import numpy as np
from matplotlib.axes import Axes

LONGEST = 10  # characters of a class name that fit over an image
MISLABELLED = {"color": "#D55E00", "fontweight": "bold"}  # the words over an image whose label is likely wrong
DISPUTED = {"color": "#0072B2", "fontweight": "bold"}  # ... for which another class is believed, by less
AGREED = {"color": "#333333", "fontweight": "normal"}
COLOURS = "orange: likely mislabelled; blue: another class than the label is believed, less clearly"
SMALL = 64  # pixels: below, enlarged images keep their square pixels; above, they are reduced smoothly


def show(axes: Axes, image: np.ndarray) -> None:
    """Show one image without axes.

    Args:
        axes: where.
        image: (C, H, W) uint8, one or three channels.
    """
    picture = image.transpose(1, 2, 0) if len(image) == 3 else image[0]
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest" if min(image.shape[1:]) < SMALL else "antialiased")
    blank(axes)


def blank(axes: Axes) -> None:
    """Take ticks, frame and background away."""
    axes.set(xticks=[], yticks=[], facecolor="none")
    axes.spines[:].set_visible(False)


def doubts(likely_mislabelled: bool, agrees: bool) -> dict:
    """Return the look of the words over an image, by what the ensemble believes of its label."""
    return MISLABELLED if likely_mislabelled else AGREED if agrees else DISPUTED


def shown_of(shown: int, examples: int) -> str:
    """Return how many of the training examples a figure shows, in words."""
    return f"all {examples:,} training examples" if shown == examples else f"{shown:,} of {examples:,} training examples"


def short(name: str, longest: int) -> str:
    """Return a class name cut to at most `longest` characters, a dollar sign being no formula."""
    return _no_formula(name if len(name) <= longest else f"{name[: longest - 1]}…")


def ending(name: str, longest: int) -> str:
    """Return the end of a file's name, at most `longest` characters, a dollar sign being no formula."""
    return _no_formula(name if len(name) <= longest else f"…{name[1 - longest :]}")


def _no_formula(text: str) -> str:
    return text.replace("$", r"\$")
