"""Batches from a training set that lives on the device: index, crop, flip and rotate in one sampling step.

Crop (reflected border), then mirror, then rotation (nearest pixel, black corners), as torchvision does one image at a
time. Here the three become one source position per output pixel, and one gather fetches the whole batch.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from pipeline_lib.config import Augmentation

CHUNK_PIXELS = {"cpu": 2**18, "cuda": 2**24}  # pixels sampled at once: fits the L2 cache / keeps launches few


@dataclass(frozen=True)
class Draw:
    """What happens to each of N examples in one pass over the data.

    Attributes:
        rows, columns: (N,) int64 offset of the crop, -padding..padding.
        flip: (N,) bool.
        angle: (N,) float32 radians, counter-clockwise.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    flip: torch.Tensor
    angle: torch.Tensor

    def at(self, index: torch.Tensor | slice) -> "Draw":
        """Return the changes at the given positions, in their order."""
        return Draw(self.rows[index], self.columns[index], self.flip[index], self.angle[index])

    def then(self, other: "Draw") -> "Draw":
        """Return these changes followed by others."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return Draw(*map(torch.cat, pairs))


def draw(settings: Augmentation, examples: int, rng: np.random.Generator, device: torch.device) -> Draw:
    """Draw one pass's changes for all examples of the data set, kept or not.

    An example's change does not depend on which others are kept, so runs on different subsets can be compared in pairs.
    """
    pad = settings.crop_padding
    offsets = rng.integers(-pad, pad, size=(2, examples), endpoint=True)
    flip = rng.random(examples) < (0.5 if settings.flip else 0)
    angle = np.radians(rng.uniform(-1, 1, examples) * settings.rotation)
    rows, columns = torch.from_numpy(offsets).to(device)
    return Draw(rows, columns, torch.from_numpy(flip).to(device), torch.from_numpy(angle.astype(np.float32)).to(device))


class Images:
    """A uint8 image set on the device that hands out float batches.

    Args:
        images: (N, C, H, W) uint8.
        mean, std: (C,) of pixels scaled to 0..1.
        device: where the set lives.
    """

    def __init__(self, images: np.ndarray, mean: list[float], std: list[float], device: torch.device):
        self.examples, self.channels, self.height, self.width = images.shape
        # one row per pixel: gathering rows yields channels-last batches without another pass
        pixels = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).reshape(-1, self.channels)
        self._pixels = torch.from_numpy(pixels).to(device)
        std = torch.tensor(std, dtype=torch.float32, device=device)
        # one factor per value of an image row: broadcasting over three interleaved channels alone is five times as slow
        self._scale = (1 / (255 * std)).repeat(self.width)
        self._shift = (-torch.tensor(mean, dtype=torch.float32, device=device) / std).repeat(self.width)
        # half the bytes, and a third of the time of a rotation, wherever every pixel has a number of 31 bits
        self._integer = torch.int32 if len(pixels) < 2**31 else torch.int64
        self._rows = torch.arange(self.height, device=device, dtype=self._integer)
        self._columns = torch.arange(self.width, device=device, dtype=self._integer)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self._pixels.device

    def clean(self, index: torch.Tensor) -> torch.Tensor:
        """Return the examples at `index` (B,) int64 unchanged: (B, C, H, W) float32, channels last."""
        images = self._pixels.view(self.examples, -1).index_select(0, index)
        return self._normalised(images.view(-1, self.height, self.width, self.channels))

    def pixels(self, index: torch.Tensor) -> torch.Tensor:
        """Return the examples at `index` (B,) int64 as they are shown: (B, C, H, W) float32, 0..1, channels last."""
        images = self._pixels.view(self.examples, -1).index_select(0, index)
        # divided, not multiplied by 1/255: times 255 it gives back every one of the 256 levels exactly
        return (images.float() / 255).view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (B, C, H, W) pixels of 0..1 as `clean` returns its own, to the last bit; gradients flow through."""
        rows = pixels.permute(0, 2, 3, 1).reshape(len(pixels), self.height, self.width * self.channels)
        batch = (255 * rows) * self._scale + self._shift
        return batch.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)

    def augmented(self, index: torch.Tensor, change: Draw, settings: Augmentation) -> torch.Tensor:
        """Return the examples at `index` (B,) int64, each with its change: (B, C, H, W) float32, channels last."""
        inside = None
        if settings.rotation:
            row, column, inside = self._rotated(change.angle)
        else:
            row, column = self._rows.view(1, -1, 1), self._columns.view(1, 1, -1)
        if settings.flip:
            column = torch.where(change.flip.view(-1, 1, 1), self.width - 1 - column, column)
        if settings.crop_padding:
            row = _reflect(row + change.rows.to(self._integer).view(-1, 1, 1), self.height - 1)
            column = _reflect(column + change.columns.to(self._integer).view(-1, 1, 1), self.width - 1)
        position = (index.to(self._integer).view(-1, 1, 1) * self.height + row) * self.width + column
        pixels = self._pixels.view(-1) if self.channels == 1 else self._pixels  # rows of one are copied four times as slowly
        batch = pixels.index_select(0, position.flatten()).view(*position.shape, self.channels)
        if inside is not None:
            batch.mul_(inside.unsqueeze(-1))  # half the time of masked_fill_
        return self._normalised(batch)

    def _rotated(self, angle: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the (B, H, W) source row and column of every output pixel and whether it lies in the image."""
        cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
        y = self._rows.view(1, -1, 1) + (0.5 - self.height / 2)  # pixel centres, from the middle of the image
        x = self._columns.view(1, 1, -1) + (0.5 - self.width / 2)
        column = (cos * x - sin * y).add_(self.width / 2).floor_().to(self._integer)
        row = (sin * x + cos * y).add_(self.height / 2).floor_().to(self._integer)
        inside_row, inside_column = row.clamp(0, self.height - 1), column.clamp(0, self.width - 1)
        return inside_row, inside_column, (inside_row == row).logical_and_(inside_column == column)

    def _normalised(self, batch: torch.Tensor) -> torch.Tensor:
        """(B, H, W, C) uint8 -> (B, C, H, W) float32 in channels-last memory."""
        rows = batch.reshape(len(batch), self.height, self.width * self.channels).float().mul_(self._scale).add_(self._shift)
        return rows.view(batch.shape).permute(0, 3, 1, 2)

    def chunk(self, batch: int) -> int:
        """Return how many batches of this size to sample at once."""
        return max(1, CHUNK_PIXELS[self.device.type] // (batch * self.height * self.width))


def _reflect(position: torch.Tensor, last: int) -> torch.Tensor:
    """Mirror positions at 0 and `last`, the border pixel not repeated."""
    return last - (last - position.abs()).abs()
