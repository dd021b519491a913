"""Files of SwAV features and of their clusterings."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pipeline_lib import storage
from pipeline_lib.learn.cluster import Clusters

REBUILD_FEATURES, REBUILD_CLUSTERS = "train_swav", "cluster"
DATASET_OF = {"backbone": "features", "prototypes": "prototypes"}  # metric parameter -> name in features/swav.h5


def read_features(path: str | Path, kind: str, dataset: str, examples: int) -> np.ndarray:
    """Return (N, D) float32 features.

    Args:
        path: results/{dataset}/features/swav.h5
        kind: "backbone" or "prototypes".
        dataset: fingerprint of the data set they must belong to.
        examples: N.

    Raises:
        PipelineError: the file is damaged, or was made for another data set.
    """
    name = DATASET_OF[kind]
    with storage.open_h5(path, REBUILD_FEATURES, (name,)) as file:
        if file.attrs.get("dataset") != dataset:
            raise storage.refuse(path, "was made for another data set (its fingerprint differs)", REBUILD_FEATURES)
        features = file[name][:]
    if features.ndim != 2 or len(features) != examples:
        raise storage.refuse(path, f"has {name} of shape {features.shape} for {examples} examples", REBUILD_FEATURES)
    if not np.isfinite(features).all():
        raise storage.refuse(path, f"holds {name} that are not finite", REBUILD_FEATURES)
    return features


def write_clusters(path: str | Path, clusters: Clusters, curve: dict[str, np.ndarray], attrs: dict) -> None:
    """Write a clustering; the points stay in the feature file.

    Args:
        path: results/{dataset}/clusters/{features}-{k}.h5
        clusters: the clustering.
        curve: "elbow_k" and "elbow_inertia" where an elbow was sought, else empty.
        attrs: features, k, dataset fingerprint.
    """
    arrays = {"centroids": clusters.centroids, "assignment": clusters.assignment, "distance": clusters.distance, **curve}
    storage.write_h5(path, arrays, {**attrs, "inertia": clusters.inertia, "clusters": len(clusters.centroids)})


def read_clusters(path: str | Path, points: np.ndarray, dataset: str) -> Clusters:
    """Return a clustering of the given points.

    Raises:
        PipelineError: the file is damaged, or was made for other features.
    """
    with storage.open_h5(path, REBUILD_CLUSTERS, ("centroids", "assignment", "distance")) as file:
        centroids, assignment, distance = (file[name][:] for name in ("centroids", "assignment", "distance"))
        if file.attrs.get("dataset") != dataset or centroids.shape[1:] != points.shape[1:] or len(assignment) != len(points):
            raise storage.refuse(path, "was made for other features or another data set", REBUILD_CLUSTERS)
        return Clusters(points, centroids, assignment, distance, float(file.attrs["inertia"]))


def open_source(stack: ExitStack, paths: list, parameters: dict, labels: np.ndarray, dataset: str) -> Clusters:
    """Return the clustering that a metric reads.

    Args:
        stack: not used; everything is read at once.
        paths: the feature file and the clustering.
        parameters: `features` chooses which of the features were clustered.
        labels: only their number is looked at.
        dataset: fingerprint of the data set the files must belong to.

    Raises:
        PipelineError: a file is damaged, or was made for another data set.
    """
    points = read_features(paths[0], parameters["features"], dataset, len(labels))
    return read_clusters(paths[1], points, dataset)
