"""One look for all figures: sizes, lines, and one colour and marker per metric."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from pipeline_lib import storage

DPI = 150
# Okabe and Ito 2008, safe for colour-blind readers; black and grey are for the baselines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C510A", "#5E3C99", "#1B7837", "#B2182B")
MARKERS = "osD^vPX*<>h"  # one more than colours, so that no pair comes back soon
# always the same colour, whatever is drawn; those of the thesis first, so that they share no colour
KNOWN = (
    *("el2n", "std", "pred_sum", "flip", "forget", "forget_raw", "km", "aum", "margin", "confidence"),
    *("loss", "variability", "dyn_unc", "student_teacher", "entropy", "grand", "prototype"),
)
BASELINES = {"random": ("#555555", (0, (4, 2))), "full": ("black", (0, (1, 1.2)))}

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


def look(metric: str, drawn: list[str]) -> dict:
    """Return colour and marker of a metric.

    Args:
        metric: its name.
        drawn: all metrics of the figure; those not in `KNOWN` take the colours left over, in this order.
    """
    order = [*KNOWN, *(name for name in drawn if name not in KNOWN)]
    place = order.index(metric)
    return {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)]}


def save(figure: Figure, path: str | Path) -> None:
    """Write a PNG atomically and close the figure."""
    with storage.atomic(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", metadata={"Software": None})
    plt.close(figure)
