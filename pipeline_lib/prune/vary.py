"""Which trainings an experiment wants that changes the recipe instead of the subset."""

import numpy as np

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.data.split import held_out_of
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.sizes import enough
from pipeline_lib.rng import generator


def vary(variants: list[dict], settings: dict, dataset: Dataset, study_seed: int, what: str) -> list[Planned]:
    """List the trainings of everything that is varied together, in the order of the values.

    Args:
        variants: `point`, the value, and `recipe`, plain values with it.
        settings: the experiment's section: `seeds`, and `validation`, the share held out, if any.
        dataset: for the labels.
        study_seed: what the splits derive from.
        what: experiment, data set and what is varied, for messages.

    Raises:
        PipelineError: fewer examples are left than a batch has.
    """
    splits = [split(dataset.train_labels, settings.get("validation"), study_seed, seed) for seed in range(settings["seeds"])]
    planned = []
    for variant in variants:
        recipe = Recipe.model_validate(variant["recipe"])
        enough(len(splits[0][0]), recipe.batch, f"{what}, {variant['point']}")
        planned += [
            Planned(variant["point"], seed, kept, recipe=recipe, held_out=held_out) for seed, (kept, held_out) in enumerate(splits)
        ]
    return planned


def split(labels: np.ndarray, share: float | None, study_seed: int, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return (positions to train on, positions held out), ascending; all and None if nothing is held out.

    Args:
        labels: (N,) class of each training example.
        share: of every class that is held out, drawn anew for every seed.
        study_seed, seed: what the draw derives from; the same for all values, so that these are compared on the same examples.
    """
    if share is None:
        return np.arange(len(labels)), None
    order = generator(study_seed, "validation split", seed).permutation(len(labels))
    of_classes = [order[labels[order] == label] for label in np.unique(labels)]
    held_out = np.sort(np.concatenate([members[: held_out_of(len(members), share)] for members in of_classes]))
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
