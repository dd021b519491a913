"""Input norm: how large the normalised image is.

    score_i = || (x_i / 255 - mean) / std ||_2, mean and std of every channel over the training set

Source: Kirsch 2023, who found that GraNd of untrained networks ranks examples as this norm does, and prunes no better. It knows
neither label nor network: what a score of untrained networks must beat. That a large norm is hard is a convention, no finding.
"""

import numpy as np

NEEDS = "images"
FORMULA = "Euclidean norm of the image, each channel with mean 0 and standard deviation 1 over the training set"
RANGE = "0 upwards"
CHUNK = 1024  # images at a time: bounds what is looked up for them


def score(images: np.ndarray) -> np.ndarray:
    """Return the norm of every normalised image, higher = harder by convention.

    Args:
        images: (N, channels, height, width) uint8.

    Returns:
        (N,) float64, 0 or more.
    """
    counts = np.stack([np.bincount(images[:, channel].reshape(-1), minlength=256) for channel in range(images.shape[1])])
    levels = np.arange(256) / 255
    mean = (counts @ levels / counts.sum(axis=1))[:, None]
    std = np.sqrt((counts * (levels - mean) ** 2).sum(axis=1) / counts.sum(axis=1))[:, None]
    squares = ((levels - mean) / np.where(std > 0, std, 1)) ** 2  # (channels, 256); a channel without contrast adds nothing
    norms = np.empty(len(images))
    for begin in range(0, len(images), CHUNK):
        part = images[begin : begin + CHUNK]
        total = sum(squares[channel][part[:, channel]].sum(axis=(1, 2)) for channel in range(images.shape[1]))
        norms[begin : begin + CHUNK] = np.sqrt(total)
    return norms
