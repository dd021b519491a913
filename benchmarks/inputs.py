"""What the measurements work on: the recipes of config.yaml and synthetic data of the right size."""

import functools
from pathlib import Path

import numpy as np
import yaml

from pipeline_lib.config import Recipe, Study, parse_study
from pipeline_lib.data.dataset import Dataset

ROOT = Path(__file__).parents[1]
CLASSES = 10
SEED = 0
PRECISION = {"cpu": "float32", "cuda": "bfloat16"}  # of all rows that say nothing else


@functools.cache
def study() -> Study:
    """Return the study of config.yaml."""
    return parse_study(yaml.safe_load((ROOT / "config.yaml").read_text()))


def recipe(name: str, epochs: int, kind: str = "cpu", **changes: object) -> Recipe:
    """Return a recipe of config.yaml with another length, and with parts of its augmentation changed.

    Args:
        name: of the recipe.
        epochs: its length.
        kind: of device, "cpu" or "cuda": the precision is that of `PRECISION`, whatever `auto` would mean for the work.
        changes: of the augmentation.
    """
    found = study().recipes[name]
    augmentation = found.augmentation.model_copy(update=changes)
    return found.model_copy(update={"epochs": epochs, "augmentation": augmentation, "precision": PRECISION[kind]})


def images(examples: int, channels: int, side: int) -> Dataset:
    """Return noise with random labels: speed does not depend on what the pixels show."""
    rng = np.random.default_rng(SEED)
    pixels = rng.integers(0, 256, (examples, channels, side, side), dtype=np.uint8)
    labels = rng.permutation(np.arange(examples) % CLASSES)
    names = [str(number) for number in range(CLASSES)]
    return Dataset(pixels, labels, pixels[:CLASSES], labels[:CLASSES], names, [str(i) for i in range(examples)])
