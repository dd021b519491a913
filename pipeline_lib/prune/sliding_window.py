"""What the sliding-window experiment trains: one window after the other along the order of difficulty."""

import numpy as np

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import select
from pipeline_lib.prune.sweep import Planned
from pipeline_lib.rng import generator

NO_POINT = float("nan")  # a baseline stands at no start


def plan(metric: str, score: np.ndarray | None, settings: dict, dataset: Dataset, study_seed: int, what: str) -> list[Planned]:
    """List the trainings of one metric or baseline.

    Args:
        metric: its name; for the baselines "random" (a fresh subset of the window's size for every seed) and "full".
        score: (N,) higher = harder; None for a baseline.
        settings: `starts`, `size`, `seeds`, `missing_classes`.
        dataset: for the number of examples and the classes.
        study_seed: what ties and random subsets derive from.
        what: experiment, data set and metric, for messages.

    Raises:
        PipelineError: all scores are the same, or a class has no example in a subset and `missing_classes` is "error".
    """
    if score is not None and score.min() == score.max():
        raise PipelineError(
            f"{what}: every example has the same score ({score[0]:g}), so there is no order to prune by. Leave this metric out "
            "of `experiments.sliding_window.metrics`, or score earlier in the training (its `epoch`, or `ensemble.epochs`)"
        )
    subsets = _subsets(metric, score, settings, len(dataset.train_labels), study_seed)
    if settings["missing_classes"] == "error":
        for planned in subsets:
            select.require_all_classes(
                planned.kept,
                dataset.train_labels,
                dataset.class_names,
                what if np.isnan(planned.point) else f"{what}, start {planned.point}",
            )
    return subsets


def _subsets(metric: str, score: np.ndarray | None, settings: dict, examples: int, study_seed: int) -> list[Planned]:
    seeds, size = range(settings["seeds"]), settings["size"]
    if metric == "full":
        return [Planned(NO_POINT, seed, np.arange(examples)) for seed in seeds]
    if metric == "random":
        draws = {seed: generator(study_seed, "random subset", seed) for seed in seeds}
        return [Planned(NO_POINT, seed, select.random_subset(examples, size, rng)) for seed, rng in draws.items()]
    order = select.difficulty_order(score, generator(study_seed, "ties", metric))
    windows = {start: select.window(order, start, size) for start in settings["starts"]}
    return [Planned(start, seed, kept) for start, kept in windows.items() for seed in seeds]
