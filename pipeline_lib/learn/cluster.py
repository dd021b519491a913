"""k-means on SwAV features with faiss, on a GPU where faiss has one."""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from pipeline_lib.errors import PipelineError

ITERATIONS = 25  # faiss's default
RESTARTS = 3  # the best of so many initialisations is kept
ELBOW_POINTS = 24  # numbers of clusters tried over the range: even spacing keeps the curve's shape


@dataclass(frozen=True)
class Clusters:
    """A clustering of N points in D dimensions into K.

    Attributes:
        points: (N, D) float32.
        centroids: (K, D) float32.
        assignment: (N,) int32 nearest centroid.
        distance: (N,) float32 Euclidean distance to it.
        inertia: sum of squared distances.
    """

    points: np.ndarray
    centroids: np.ndarray
    assignment: np.ndarray
    distance: np.ndarray
    inertia: float


def flops(examples: int, dimension: int, clusters: int) -> float:
    """Return the floating-point operations of `kmeans`: distances of all points to all centroids, in every iteration."""
    return 2.0 * examples * dimension * clusters * ITERATIONS * RESTARTS


def kmeans(points: np.ndarray, k: int, seed: int, threads: int, gpu: bool = False) -> Clusters:
    """Cluster points, from centroids spread out by k-means++ (Arthur and Vassilvitskii 2007).

    Args:
        points: (N, D) float32.
        k: number of clusters, at most N.
        seed: of the initial centroids.
        threads: CPU threads, fixed so that sums are added in one order.
        gpu: whether to use one where the installed faiss can.

    Raises:
        PipelineError: there are fewer points than clusters.
    """
    import faiss

    if k > len(points):
        raise PipelineError(f"k-means: {k} clusters asked for, but there are only {len(points)} examples. Lower the metric's `k`")
    points = np.ascontiguousarray(points, dtype=np.float32)
    faiss.omp_set_num_threads(threads)
    on_gpu = gpu and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    engine = faiss.Kmeans(
        points.shape[1],
        k,
        niter=ITERATIONS,
        nredo=RESTARTS,
        seed=seed % 2**31,
        gpu=1 if on_gpu else False,  # the first, not all
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),  # faiss would otherwise look at a sample of 256 per centroid only
    )
    engine.train(points)
    squared, assignment = engine.index.search(points, 1)
    squared = np.maximum(squared[:, 0], 0)  # rounding can leave a tiny negative
    inertia = float(squared.sum(dtype=np.float64))
    return Clusters(points, engine.centroids.copy(), assignment[:, 0].astype(np.int32), np.sqrt(squared), inertia)


def elbow(
    points: np.ndarray, smallest: int, largest: int, seed: int, threads: int, gpu: bool = False
) -> tuple[Clusters, np.ndarray, np.ndarray]:
    """Cluster with the number of clusters at the bend of the inertia curve.

    The bend is the point farthest below the straight line between both ends of the curve, axes scaled to 0..1
    (Satopaa et al. 2011, "Kneedle", without smoothing).

    Args:
        points: (N, D) float32.
        smallest, largest: range of k tried, in at most 24 evenly spaced values.
        seed, threads, gpu: as for `kmeans`.

    Returns:
        The clustering at the bend, the tried k (int64) and their inertia (float64).

    Raises:
        PipelineError: fewer than 3 values can be tried.
    """
    largest = min(largest, len(points) // 2)
    tried = np.unique(np.linspace(smallest, max(smallest, largest), ELBOW_POINTS).round().astype(int))
    if len(tried) < 3:
        raise PipelineError(f"k-means: the elbow needs at least 3 numbers of clusters; {smallest} to {largest} are too few")
    bar = tqdm(tried, desc="k-means", unit="k", disable=None)
    found = [kmeans(points, int(k), seed, threads, gpu) for k in bar]
    inertia = np.array([clusters.inertia for clusters in found])
    return found[bend(tried, inertia)], tried, inertia


def bend(x: np.ndarray, falling: np.ndarray) -> int:
    """Return the position of the bend of a falling curve: farthest below the chord between its ends."""
    across = (x - x[0]) / (x[-1] - x[0])
    height = (falling - falling[-1]) / max(falling[0] - falling[-1], np.finfo(float).tiny)
    return int(np.argmax(1 - across - height))
