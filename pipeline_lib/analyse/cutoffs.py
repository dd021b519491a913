"""How well flags and scores find wrong labels, over data sets that differ only in their wrong labels."""

import numpy as np
import pandas as pd

from pipeline_lib.analyse.threshold import QUALITY, found

COLUMNS = ("dataset", "examples", "wrong", "by", "measure", "value", "low", "high")
AUROC = "auroc"


def rows_of_flags(dataset: str, flags: dict[str, np.ndarray], wrong: np.ndarray, study_seed: int) -> pd.DataFrame:
    """Measure every rule's flags.

    Args:
        dataset: its name.
        flags: rule -> (N,) bool.
        wrong: (N,) bool, label known to be wrong.
        study_seed: what the bootstrap's resamples derive from.

    Returns:
        One row per rule and measure (precision, recall, f1) with `COLUMNS`: shares (0..1) with 95% bootstrap intervals over the
        examples.
    """
    rows = []
    for by, flag in flags.items():
        values = found(flag, wrong, study_seed)
        rows += [
            (dataset, len(wrong), int(wrong.sum()), by, m, *(values[f"{m}{end}"] for end in ("", "_low", "_high"))) for m in QUALITY
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def rows_of_scores(dataset: str, detected: pd.DataFrame) -> pd.DataFrame:
    """Take the AUROC of every score from a table of `pipeline_lib.analyse.noise.detect`.

    Returns:
        One row per score with `COLUMNS`, the measure being "auroc".
    """
    rows = [
        (dataset, row["examples"], row["wrong"], row["metric"], AUROC, row["auroc"], row["auroc_low"], row["auroc_high"])
        for row in detected.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
