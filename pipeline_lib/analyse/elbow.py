"""The curve behind the number of clusters."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import storage

REBUILD = "cluster"


def read_curve(path: str | Path, dataset: str) -> pd.DataFrame:
    """Return the numbers of clusters that were tried, and which one was chosen.

    Args:
        path: results/{dataset}/clusters/{features}-elbow.h5
        dataset: fingerprint of the data set it must belong to.

    Returns:
        One row per number of clusters: `k`, `inertia` (sum of squared distances to the nearest centre), `chosen` (bool).

    Raises:
        PipelineError: the file is damaged, was made for another data set, or its curve is not one.
    """
    with storage.open_h5(path, REBUILD, ("elbow_k", "elbow_inertia")) as file:
        if file.attrs.get("dataset") != dataset:
            raise storage.refuse(path, "was made for another data set (its fingerprint differs)", REBUILD)
        k, inertia, clusters = file["elbow_k"][:], file["elbow_inertia"][:], file.attrs["clusters"]
    if k.shape != inertia.shape or not np.isfinite(inertia).all() or clusters not in k:
        raise storage.refuse(path, "holds no whole curve with the chosen number of clusters on it", REBUILD)
    return pd.DataFrame({"k": k, "inertia": inertia, "chosen": k == clusters})
