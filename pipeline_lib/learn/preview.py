"""A few images as the training sees them: changed at random, pixels left as they are."""

import numpy as np
import pandas as pd
import torch

from pipeline_lib.config import Augmentation
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import augment


def preview(images: np.ndarray, settings: Augmentation, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Augment images several times.

    Args:
        images: (B, C, H, W) uint8.
        settings: the recipe's augmentation.
        draws: how often each is drawn anew.
        rng: draws the changes.

    Returns:
        (1 + draws, B, C, H, W) uint8, the originals first, and one row per image in the same order: `row` (0 for the
        originals), `column`, `crop_rows` and `crop_columns` (pixels by which the crop is moved down and right), `flip`,
        `angle` (degrees, counter-clockwise).

    Raises:
        PipelineError: the border of the crop is wider than the image that it mirrors.
    """
    if settings.crop_padding >= min(images.shape[2:]):
        raise PipelineError(
            f"the recipe's `augmentation.crop_padding` of {settings.crop_padding} must be less than the images' "
            f"{min(images.shape[2:])} pixels"
        )
    device, channels, count = torch.device("cpu"), images.shape[1], len(images)
    plain = augment.Images(images, [0.0] * channels, [1.0] * channels, device)
    index, pictures, tables = torch.arange(count), [images], [_table(0, augment.draw(Augmentation(), count, rng, device))]
    for row in range(1, draws + 1):
        change = augment.draw(settings, count, rng, device)
        pictures.append((plain.augmented(index, change.at(index), settings) * 255).round().to(torch.uint8).numpy())
        tables.append(_table(row, change))
    return np.stack(pictures), pd.concat(tables, ignore_index=True)


def _table(row: int, change: augment.Draw) -> pd.DataFrame:
    columns = {"crop_rows": change.rows, "crop_columns": change.columns, "flip": change.flip, "angle": change.angle.rad2deg()}
    arrays = {name: tensor.numpy() for name, tensor in columns.items()}
    return pd.DataFrame({"row": row, "column": np.arange(len(change.flip)), **arrays})
