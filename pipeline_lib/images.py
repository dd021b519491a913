"""The training images, for metrics that look at nothing else."""

from contextlib import ExitStack

import numpy as np

from pipeline_lib import storage
from pipeline_lib.data import dataset as canonical


def open_source(stack: ExitStack, paths: list, parameters: dict, labels: np.ndarray, dataset: str) -> np.ndarray:
    """Return (N, channels, height, width) uint8 training images.

    Args:
        stack: not used; everything is read at once.
        paths: the canonical file.
        parameters: of the metric; none chooses what is opened.
        labels: not looked at.
        dataset: fingerprint of the data set.

    Raises:
        PipelineError: the file is damaged, or holds another data set.
    """
    found, fingerprint = canonical.read(paths[0])
    if fingerprint != dataset:
        raise storage.refuse(paths[0], "holds another data set (its fingerprint differs)", canonical.REBUILD)
    return found.train_images
