"""A small study with everything that a report can show, made up: three classes, four examples, names that a page must escape."""

import io

import numpy as np
import pandas as pd
from PIL import Image

from pipeline_lib.report.assemble import Drawn, Study
from pipeline_lib.report.provenance import DataFacts

HOSTILE = "<script>alert('cat')</script>"
CLASSES = [HOSTILE, 'dog & "wolf"', "fish"]
LABELS = np.array([0, 0, 1, 2])
TRUE = np.array([0, 1, 1, 2])
METRICS = {"el2n": {"function": "el2n", "parameters": {"epoch": "last"}}, "flip": {"function": "flip", "parameters": {}}}


def png(width: int = 1500, height: int = 300) -> bytes:
    return png_of(np.full((height, width, 3), 255, np.uint8))


def png_of(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def sweep(runs: int = 3) -> pd.DataFrame:
    """A summary as of `pipeline_lib.analyse.sweeps`: el2n is best from 30%, flip from 0."""
    nan = np.nan
    rows = [
        ("el2n", 0.0, 0.4, 0.80, 0.79, 0.81, -0.05, -0.07, -0.03),
        ("el2n", 0.3, 0.4, 0.90, 0.88, 0.92, 0.05, 0.03, 0.07),
        ("flip", 0.0, 0.4, 0.85, 0.84, 0.86, 0.0, -0.01, 0.01),
        ("flip", 0.3, 0.4, 0.70, 0.69, 0.71, -0.15, -0.17, -0.13),
        ("random", nan, 0.4, 0.85, 0.84, 0.86, nan, nan, nan),
        ("full", nan, 1.0, 0.93, 0.91, 0.95, nan, nan, nan),
    ]
    names = [
        "metric",
        "point",
        "kept_share",
        "accuracy_mean",
        "accuracy_low",
        "accuracy_high",
        "gain_mean",
        "gain_low",
        "gain_high",
    ]
    table = pd.DataFrame(rows, columns=names)
    if runs == 1:
        table[["accuracy_low", "accuracy_high", "gain_low", "gain_high"]] = nan
    return table.assign(balanced=False, budget="epochs", runs=runs)


def cost() -> pd.DataFrame:
    """A ledger in which leaving out 10% by el2n loses nothing visible, and 20% too much."""
    rows = [
        ("el2n", 0.1, 0.92, 0.90, 0.94, -0.01, -0.03, 0.01, 2.5, 12.2),
        ("el2n", 0.2, 0.90, 0.89, 0.91, -0.03, -0.05, -0.01, 2.4, 6.1),
        ("flip", 0.1, 0.92, 0.91, 0.93, -0.01, -0.02, 0.0, 3.5, 30.0),
        ("random", 0.1, 0.925, 0.91, 0.94, -0.005, -0.02, 0.01, 0.9, 0.0),
        ("full", np.nan, 0.93, 0.91, 0.95, np.nan, np.nan, np.nan, 1.0, np.inf),
    ]
    intervals = [f"{what}_{end}" for what in ("accuracy", "over_full") for end in ("mean", "low", "high")]
    names = ["metric", "point", *intervals, "relative_cost", "trainings_to_break_even"]
    return pd.DataFrame(rows, columns=names).assign(balanced=False, budget="epochs", runs=3, classes_missing=0)


def area() -> pd.DataFrame:
    rows = [
        ("random", 0.90, 0.89, 0.91, np.nan, np.nan, np.nan, "baseline"),
        ("el2n", 0.95, 0.94, 0.96, 0.05, 0.04, 0.06, "better than random"),
        ("flip", 0.80, 0.79, 0.81, -0.1, -0.11, -0.09, "worse than random"),
    ]
    names = ["metric", "area_mean", "area_low", "area_high", "gain_mean", "gain_low", "gain_high", "verdict"]
    return pd.DataFrame(rows, columns=names).assign(balanced=False, budget="epochs", runs=3)


def claims() -> pd.DataFrame:
    rows = [
        ("one", "it says", "it was computed", "supported", 0.02, 0.01, 0.03, 3),
        ("two", "it says", "it was computed", "contradicted", -0.02, -0.03, -0.01, 3),
        ("three", "it says", "no clusters", "not tested", np.nan, np.nan, np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["claim", "thesis", "computed", "verdict", "difference", "low", "high", "runs"])


def ranking() -> pd.DataFrame:
    """Example 1 is doubted, and rightly; example 2 is the hardest."""
    return pd.DataFrame(
        {
            "index": [0, 1, 2, 3],
            "file": ["a.png", "<b>.png", "c.png", "d.png"],
            "label": [CLASSES[label] for label in LABELS],
            "belief": [CLASSES[label] for label in LABELS],
            "el2n": [0.1, 0.9, 1.0, 0.2],
            "el2n_rank": [4.0, 2.0, 1.0, 3.0],
            "flip": [0, 3, 1, 1],
            "flip_rank": [4.0, 1.0, 2.5, 2.5],
            "likely_mislabelled": [False, True, False, False],
            "suggested_label": [np.nan, CLASSES[1], np.nan, np.nan],
            "rule": [np.nan, "the other class is surer", np.nan, np.nan],
        }
    )


def facts(true_labels: np.ndarray | None = TRUE) -> DataFacts:
    return DataFacts(CLASSES, LABELS, np.array([0, 1, 2]), true_labels, (3, 8, 9), "fedcba9876543210", "made up")


def study(**changes) -> Study:
    """The study; keyword arguments replace its parts."""
    folder = "results/pets"
    pictures = pd.DataFrame({"group": ["easiest", "hardest"], "index": [0, 2], "label": [CLASSES[0], CLASSES[1]]})
    tables = {"cost": cost(), "sliding_window": sweep(), "area": area(), "examples/el2n": pictures}
    parts = {
        "dataset": "pets",
        "facts": facts(),
        "figures": {name: Drawn(png(), table, f"{folder}/{name}.csv") for name, table in tables.items()},
        "tables": {name: (table, f"{folder}/{name}.csv") for name, table in (("claims", claims()), ("ranking", ranking()))},
        "metrics": METRICS,
        "config": {"seed": 0, "datasets": {"pets": {"note": HOSTILE}}},
        "origin": {"device of the ensemble": "cpu", "python": "3.12"},
    }
    return Study(**parts | changes)
