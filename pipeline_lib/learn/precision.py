"""What `precision: auto` of a recipe means where a job runs."""

import logging
from typing import TypeVar

import torch

from pipeline_lib.config import Recipe, Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import models
from pipeline_lib.learn.device import computes_in_bfloat16
from pipeline_lib.learn.flops import per_image

WORTH = 1e9  # operations of a step on a CPU: from here on bfloat16 saved at least a fifth, below a fifth of it none (docs)

log = logging.getLogger("pipeline")
Settings = TypeVar("Settings", Recipe, Swav)


def settled(settings: Settings, dataset: Dataset, device: torch.device) -> Settings:
    """Return the settings with `precision: auto` replaced by what it means for these images on this device.

    bfloat16 where a GPU computes in it, and on a CPU with AVX-512 BF16 if a step is long enough to gain by it; else float32.
    What is computed, and so the name under which it is kept, depends on the outcome: settle first.

    Args:
        settings: model, width, batch, precision.
        dataset: for the size of its images and the number of its classes.
        device: where to compute.
    """
    if settings.precision != "auto":
        return settings
    worth = computes_in_bfloat16(device) and (device.type == "cuda" or _operations(settings, dataset) >= WORTH)
    precision = "bfloat16" if worth else "float32"
    log.info("precision: auto means %s here", precision)
    return settings.model_copy(update={"precision": precision})


def _operations(settings: Recipe | Swav, dataset: Dataset) -> float:
    """Return the floating-point operations of one step: forward and backward pass of a batch, of SwAV of all views of it."""
    _, channels, size, _ = dataset.train_images.shape
    network = models.build(settings.model, channels, size, dataset.classes, settings.width, seed=0)
    views = settings.VIEWS if isinstance(settings, Swav) else 1
    return views * settings.batch * per_image(network, channels, size).training
