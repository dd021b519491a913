"""KM: the distance to the nearest k-means centre in SwAV space. No label is looked at.

    score_i = min over k of || x_i - c_k ||_2

Source: the thesis, after Sorscher et al. 2022. `features: prototypes` is the thesis's choice (the prototype scores),
`features: backbone` the literature's. `k` is a number, `classes` or `elbow` (the bend of inertia over a range).
"""

import numpy as np

NEEDS = "clusters"
FORMULA = "Euclidean distance from the SwAV features to the nearest k-means centre"
RANGE = "0 upwards"
READS = {"features": "prototypes", "k": "elbow"}
CHUNK = 4096  # examples at a time: bounds the (chunk, K) table of distances


def _check_features(value) -> None:
    if value not in ("prototypes", "backbone"):
        raise ValueError(f"{value!r} is not one of prototypes, backbone")


def _check_k(value) -> None:
    if value not in ("classes", "elbow") and not (type(value) is int and value >= 1):
        raise ValueError(f"{value!r} is not a whole number from 1, classes or elbow")


CHECKS = {"features": _check_features, "k": _check_k}


def score(clusters) -> np.ndarray:
    """Return the distance to the nearest centre, higher = harder.

    Args:
        clusters: with `points` (N, D) and `centroids` (K, D).

    Returns:
        (N,) float64, 0 or more.
    """
    centroids = np.asarray(clusters.centroids, dtype=np.float64)
    norms = np.einsum("kd,kd->k", centroids, centroids)
    nearest = np.empty(len(clusters.points))
    for begin in range(0, len(nearest), CHUNK):
        points = np.asarray(clusters.points[begin : begin + CHUNK], dtype=np.float64)
        closest = np.argmin(norms - 2 * points @ centroids.T, axis=1)
        nearest[begin : begin + CHUNK] = np.linalg.norm(points - centroids[closest], axis=1)
    return nearest
