"""Scores from recorded dynamics of CIFAR-10's size, and k-means of its features."""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import inputs, isolated
from benchmarks.result import Group, Result, Row, clock
from pipeline_lib import metrics, scores, storage

METRICS = ("el2n", "std", "pred_sum", "flip", "forget", "forget_raw")
DATASET = "synthetic"  # stands for the fingerprint of a data set
EASE = 2.0  # added to the label's logit: most predictions are right, some change
HOW = (
    "`pipeline_lib.scores.compute` on synthetic dynamics of 10 seeds x 10 epochs x 50,000 examples x 10 classes in half precision, "
    "written as the jobs write them and still in the page cache: opening the files, reading, computing, checking. "
    "One thread, a fresh process every time after one to warm up. The figure behind it is the life of the whole process."
)
ROWS = tuple(Row(f"score_{name}", f"Metric `{name}` of 50,000 examples", "s", "at most 5 s") for name in METRICS)
MEMORY = Row(
    "score_memory",
    "Peak memory of the hungriest metric",
    "MB",
    "under 1,500 MB",
    how="Largest resident memory of the same processes, the interpreter and its libraries included.",
)
CLASSES_OF_CIFAR100 = 100
HOW_CIFAR100 = (
    "As above with 100 classes (1.1 GB of dynamics, read whole for its checksum before a metric starts) and every metric of the "
    "ensemble, each in a fresh process; the time is the sum of all."
)
ALL_METRICS = Row("score_cifar100", "All metrics of the ensemble, CIFAR-100's size", "s", "at most 20 s")
ALL_MEMORY = Row("score_cifar100_memory", "Peak memory of the hungriest metric, CIFAR-100's size", "MB", "under 2,000 MB")
KMEANS_THREADS = 2
KMEANS_HOW = (
    "`pipeline_lib.learn.cluster.kmeans` (all of it: the starts, the iterations, the final assignment) on normally distributed "
    f"points, {KMEANS_THREADS} threads, a fresh process every time after one to warm up; the import of faiss is not counted."
)
KMEANS = Row("kmeans", "k-means, 50,000 x 512, k = 55", "s", "at most 15 s")


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per metric, then their memory."""
    seeds, epochs, examples, repeats = (2, 3, 500, 1) if quick else (10, 10, 50_000, 5)
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), seeds, epochs, examples, inputs.CLASSES)
        for row, name in zip(ROWS, METRICS, strict=True):
            outcomes = [isolated.call(__name__, "score_once", {"metric": name, "folder": folder}, 1) for _ in range(repeats + 1)][
                1:
            ]
            wall = statistics.median(outcome.wall for outcome in outcomes)
            peaks[name] = [outcome.peak for outcome in outcomes]
            yield Result(row.key, tuple(outcome.value for outcome in outcomes), f"{wall:.2f} s for the whole process")
    hungriest = max(peaks, key=lambda name: max(peaks[name]))
    detail = ", ".join(f"{name} {statistics.median(values):,.0f}" for name, values in peaks.items())
    yield Result(MEMORY.key, tuple(peaks[hungriest]), detail)


def measure_cifar100(quick: bool) -> Iterator[Result]:
    """Yield the time of all metrics together, and the memory of the one that takes most."""
    seeds, epochs, examples, classes = (2, 5, 500, 20) if quick else (10, 10, 50_000, CLASSES_OF_CIFAR100)
    names = [name for name in metrics.names() if metrics.load(name).NEEDS == "dynamics"]
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), seeds, epochs, examples, classes)
        passes = [
            {name: isolated.call(__name__, "score_once", {"metric": name, "folder": folder}, 1) for name in names}
            for _ in range(1 if quick else 3)
        ]
    outcomes, totals = passes[-1], tuple(sum(outcome.value for outcome in each.values()) for each in passes)
    yield Result(ALL_METRICS.key, totals, ", ".join(f"{name} {outcome.value:.1f}" for name, outcome in outcomes.items()))
    hungriest = max(outcomes, key=lambda name: outcomes[name].peak)
    yield Result(ALL_MEMORY.key, (outcomes[hungriest].peak,), hungriest)


def record(folder: Path, seeds: int, epochs: int, examples: int, classes: int) -> None:
    """Write synthetic dynamics and the labels."""
    from pipeline_lib.learn.record import EPOCH_CURVES  # brings torch, which the measured processes must not load

    rng = np.random.default_rng(inputs.SEED)
    labels = rng.integers(0, classes, examples)
    np.save(folder / "labels.npy", labels)
    for seed in range(seeds):
        logits = rng.standard_normal((epochs, examples, classes), dtype=np.float32)
        logits[:, np.arange(examples), labels] += EASE
        curves = {name: np.zeros(epochs) for name in EPOCH_CURVES}
        arrays = {
            "logits": logits.astype(np.float16),
            "prediction": logits.argmax(axis=2).astype(np.int16),
            "initial": logits[0].astype(np.float16),
            "grand": rng.random((epochs + 1, examples), dtype=np.float32),
            "grand_full": rng.random((1, examples), dtype=np.float32),
            "grand_full_epochs": np.array([epochs]),
            "prototype_distance": rng.random(examples, dtype=np.float32),
            "training_logits": rng.normal(size=(epochs, examples, 2)).astype(np.float32),
            "test_logits": logits[:, : examples // 5].astype(np.float16),
        }
        storage.write_h5(folder / f"seed{seed}.h5", arrays | curves, {"dataset": DATASET})


def score_once(metric: str, folder: str) -> float:
    """Return the seconds of one metric; runs in a process of its own."""
    labels = np.load(Path(folder) / "labels.npy")
    paths = sorted(Path(folder).glob("seed*.h5"))
    module, parameters = metrics.load(metric), metrics.parameters(metric)
    return clock(lambda: scores.compute(metric, module, parameters, paths, labels, DATASET, inputs.SEED))


def measure_kmeans(quick: bool) -> Iterator[Result]:
    """Yield the result of k-means."""
    points, dimensions, k, repeats = (2_000, 32, 8, 1) if quick else (50_000, 512, 55, 3)
    sizes = {"points": points, "dimensions": dimensions, "k": k, "threads": KMEANS_THREADS}
    calls = [isolated.call(__name__, "kmeans_once", sizes, KMEANS_THREADS) for _ in range(repeats + 1)][1:]
    peak = statistics.median(outcome.peak for outcome in calls)
    yield Result(KMEANS.key, tuple(outcome.value for outcome in calls), f"peak memory {peak:,.0f} MB")


def kmeans_once(points: int, dimensions: int, k: int, threads: int) -> float:
    """Return the seconds of one clustering; runs in a process of its own."""
    import faiss  # noqa: F401  before the clock starts

    from pipeline_lib.learn.cluster import kmeans

    data = np.random.default_rng(inputs.SEED).standard_normal((points, dimensions), dtype=np.float32)
    return clock(lambda: kmeans(data, k, inputs.SEED, threads))


SCORES = Group("scores", "Metrics from recorded dynamics", HOW, (*ROWS, MEMORY), measure)
SCORES_CIFAR100 = Group("scores100", "Metrics of CIFAR-100's size", HOW_CIFAR100, (ALL_METRICS, ALL_MEMORY), measure_cifar100)
CLUSTERS = Group("kmeans", "k-means", KMEANS_HOW, (KMEANS,), measure_kmeans)
