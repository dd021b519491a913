"""Groups of examples that are neighbours in the order of difficulty: not trained on, but looked at."""

import numpy as np

from pipeline_lib.errors import PipelineError
from pipeline_lib.prune.select import count

THIRDS = {"easiest": 0.0, "middle": 0.5, "hardest": 1.0}  # where the groups of `connectivity` stand in the order


def neighbours(order: np.ndarray, examples: int, place: float) -> np.ndarray:
    """Return neighbours in the order of difficulty.

    Args:
        order: (N,) positions, easiest first.
        examples: how many neighbours, at most N.
        place: 0 (they begin with the easiest) to 1 (they end with the hardest).

    Returns:
        (examples,) positions, easiest first.
    """
    first = count(place, len(order) - examples)
    return order[first : first + examples]


def percentile(place: float, examples: int, size: int) -> float:
    """Return how many percent of the training set are easier than the middle of a group.

    Args:
        place, examples: as of `neighbours`.
        size: N.
    """
    return 100 * (count(place, size - examples) + examples / 2) / size


def check(experiment: str, settings: dict, size: int, what: str) -> None:
    """Refuse groups that a training set is too small for.

    Args:
        experiment: "connectivity", whose groups must not overlap, or "kernel_velocity".
        settings: its section.
        size: N.
        what: the key of the section, for the message.

    Raises:
        PipelineError: naming the key and the largest number that fits.
    """
    most = size // len(THIRDS) if experiment == "connectivity" else size
    if settings["examples"] > most:
        raise PipelineError(
            f"{what}.examples: should be at most {most} for the {size} training examples, not {settings['examples']}"
        )
