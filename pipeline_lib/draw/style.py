"""One look for all figures: sizes, lines, and one colour and marker per metric."""

import io
from itertools import product
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from pipeline_lib import storage
from pipeline_lib.rng import derive_seed

DPI = 150
# Okabe and Ito 2008, safe for colour-blind readers; black and grey are for the baselines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A", "#5E3C99", "#1B7837", "#B2182B")
MARKERS = "osD^vPX*<>h"  # one more than colours, so that no pair comes back soon
# always the same colour, whatever is drawn; those of the thesis first, so that they share no colour
KNOWN = (
    *("el2n", "std", "pred_sum", "flip", "forget", "forget_raw", "km", "aum", "margin", "confidence"),
    *("loss", "variability", "dyn_unc", "student_teacher", "entropy", "grand", "prototype"),
)
LIGHTEST, DARKEST = 0.6, 0.8  # shades of a colour: so far towards white and towards black (chosen: both stay visible)
FEWEST_CLUSTERS, MOST_CLUSTERS = 3, 300  # have the lightest and the darkest shade (chosen)
UNLESS_EQUAL = "none where all are equal"  # of intervals, in the notes of figures
HOLLOW_EQUAL = "hollow: all are equal, no interval"  # in figures where a hollow point has no other meaning
HOLLOW = "hollow: a class has no example left"
BASELINES = {"random": ("#555555", (0, (4, 2))), "repeated_random": ("#999999", "solid"), "full": ("black", (0, (1, 1.2)))}
BASELINE_NAMES = {"random": "random", "repeated_random": "random, new each epoch (RS2)", "full": "all data"}

plt.rcParams.update(
    {
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
)


def look(metric: str) -> dict:
    """Return colour and marker of a metric: those of its name, whatever else is drawn.

    Args:
        metric: its name. One that is not in `KNOWN` but begins like a known one (el2n_early, km_prototypes_5) has a shade of
            its colour and another marker, the darker the more clusters its name tells; any other name has a pair that no
            known metric has. A baseline has its own.
    """
    known = {name: (PALETTE[place % len(PALETTE)], MARKERS[place % len(MARKERS)]) for place, name in enumerate(KNOWN)}
    if metric in BASELINES:  # as a point among those of metrics
        return {"color": BASELINES[metric][0], "marker": "d"}
    if metric in known:
        colour, marker = known[metric]
        return {"color": colour, "marker": marker}
    shape, tone = derive_seed("shape", metric), derive_seed("colour", metric) / 2**63  # differ between names and never change
    family = max((name for name in KNOWN if metric.startswith(f"{name}_")), key=len, default=None)
    if family is None:
        free = [pair for pair in product(PALETTE, MARKERS) if pair not in known.values()]
        colour, marker = free[shape % len(free)]
        return {"color": colour, "marker": marker}
    colour, own = known[family]
    markers = MARKERS.replace(own, "")
    word = metric.split("_")[-1]
    ends = np.log([FEWEST_CLUSTERS, MOST_CLUSTERS])
    depth = np.interp(np.log(max(int(word), 1)), ends, [0, 1]) if word.isdecimal() else tone
    return {"color": _shade(colour, depth), "marker": markers[shape % len(markers)]}


def baseline(name: str) -> dict:
    """Return the look of a baseline's line."""
    colour, dashes = BASELINES[name]
    return {"color": colour, "linestyle": dashes, "linewidth": 1.8}


def tick(name: str) -> str:
    """Return what a metric or baseline is called beside an axis: long names in two lines, so that they leave room for the panel."""
    return BASELINE_NAMES.get(name, name).replace(", ", ",\n")


def hollow(axes: Axes, x: np.ndarray, y: np.ndarray, where: np.ndarray, look: dict, size: float = 5.5) -> None:
    """Draw some points of a line anew, with a white middle.

    Args:
        axes: of the line.
        x, y, where: (P,) places of its points, and which of them.
        look: of the line: `color`, and `marker` if it has one.
        size: of its markers.
    """
    shape = {"marker": look.get("marker", "o"), "markersize": size, "markerfacecolor": "white"}
    axes.plot(x[where], y[where], linestyle="none", color=look["color"], zorder=3, **shape)


def equal(rows: pd.DataFrame, prefix: str = "") -> pd.Series:
    """Return which points are means of several trainings that all agree, so that there is no interval.

    Args:
        rows: (P,) points: `{prefix}low` and `runs`; or one of them.
        prefix: of the column.
    """
    return pd.isna(rows[f"{prefix}low"]) & (rows["runs"] > 1)


def _shade(colour: str, depth: float) -> str:
    """Return a colour made lighter (depth 0) to darker (depth 1)."""
    towards = np.interp(depth, [0, 1], [-LIGHTEST, DARKEST])
    end = 1.0 if towards < 0 else 0.0
    return to_hex(np.array(to_rgb(colour)) * (1 - abs(towards)) + end * abs(towards))


def save(figure: Figure, path: str | Path) -> None:
    """Write a PNG atomically, its checksum beside it, and close the figure."""
    picture = io.BytesIO()
    figure.savefig(picture, dpi=DPI, format="png", metadata={"Software": None})
    plt.close(figure)
    storage.write_bytes(path, picture.getvalue())
