"""Scores: one metric's number for every training example, higher = harder; computed, checked, kept in a file."""

import importlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import numpy as np

from pipeline_lib import metrics, storage
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator

REBUILD = "score"


def compute(
    name: str, metric: ModuleType, parameters: dict, paths: list, labels: np.ndarray, dataset: str, study_seed: int
) -> np.ndarray:
    """Open what a metric reads and score every example.

    Args:
        name: the metric's name in config.yaml.
        metric: its file, loaded.
        parameters: all of its parameters, those that choose what is opened among them.
        paths: the files it reads beside the labels.
        labels: (N,) of the training set.
        dataset: fingerprint that the files must have been made for.
        study_seed: what a random metric derives from.

    Returns:
        (N,) float64, finite.

    Raises:
        PipelineError: a file does not fit, or the metric returns something else than one finite number per example.
    """
    own = metrics.own(metric, parameters)
    with ExitStack() as stack:
        if metric.NEEDS == "examples":
            score = metric.score(len(labels), rng=generator(study_seed, "metric", name), **own)
        else:
            opener = importlib.import_module(metrics.SOURCES[metric.NEEDS]).open_source
            score = metric.score(opener(stack, paths, parameters, labels, dataset), **own)
    return check(score, len(labels), name)


def check(score: np.ndarray, examples: int, metric: str) -> np.ndarray:
    """Return the scores as (N,) float64 if they are usable.

    Raises:
        PipelineError: wrong shape, or a value that is not finite.
    """
    score = np.asarray(score, dtype=np.float64)
    if score.shape != (examples,):
        raise PipelineError(f"metric {metric}: must return one number per example, shape ({examples},), not {score.shape}")
    bad = np.flatnonzero(~np.isfinite(score))
    if len(bad):
        raise PipelineError(f"metric {metric}: {len(bad)} scores are not finite, the first for example {bad[0]}")
    return score


def write(path: str | Path, score: np.ndarray, attrs: dict) -> None:
    """Write checked scores.

    Args:
        path: results/{dataset}/scores/{metric}.h5
        score: (N,) float64.
        attrs: metric, formula, range, parameters, dataset fingerprint, code fingerprint, seeds used.
    """
    attrs = {"orientation": "higher = harder", **attrs}
    storage.write_h5(path, {"score": score, "index": np.arange(len(score))}, attrs)


def read(path: str | Path, dataset: str, examples: int) -> np.ndarray:
    """Return (N,) float64 scores.

    Args:
        path: a score file.
        dataset: fingerprint of the data set they must belong to.
        examples: N.

    Raises:
        PipelineError: the file is damaged, or was made for another data set.
    """
    with storage.open_h5(path, REBUILD, ("score", "index")) as file:
        if file.attrs.get("dataset") != dataset:
            raise storage.refuse(path, "was made for another data set (its fingerprint differs)", REBUILD)
        score, index = file["score"][:], file["index"][:]
    if score.shape != (examples,) or not np.array_equal(index, np.arange(examples)):
        raise storage.refuse(path, f"has {len(score)} scores for {examples} examples, or in another order", REBUILD)
    if not np.isfinite(score).all():
        raise storage.refuse(path, "holds scores that are not finite", REBUILD)
    return score


def read_together(paths: Sequence[str | Path], dataset: str, examples: int) -> np.ndarray | None:
    """Return the scores of several files: None of no file, (N,) of one, else (files, N); arguments and errors as of `read`."""
    rows = [read(path, dataset, examples) for path in paths]
    return None if not rows else rows[0] if len(rows) == 1 else np.stack(rows)
