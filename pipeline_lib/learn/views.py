"""Random views of images for SwAV: crop and resize, rotation, mirror, colour.

Geometry is one bilinear sampling step; brightness, contrast, saturation, hue and grey are each linear in the colours of
a pixel, so together they are one 3x3 matrix and one offset per image. What is random is drawn on the CPU for many images at
once and sent to the device; there, a view never waits for the CPU.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from pipeline_lib.config import Swav

ASPECT = (3 / 4, 4 / 3)  # width to height of a crop, as in the SwAV paper
JITTER_SHARE, GREY_SHARE = 0.8, 0.2  # of the views, as in the SwAV and SimCLR papers
HUE_TURN = 0.25  # of the jitter strength; a full turn is 1, the papers use 0.2 at strength 0.8
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))  # hue is an angle in its last two axes


@dataclass(frozen=True)
class Views:
    """What happens to each of M images.

    Attributes:
        maps: (M, 2, 3) from the view's coordinates (-1..1) to the image's.
        matrix: (M, 3, 3) applied to every pixel's colour, or None.
        offset: (M, 3) times the image's mean colour is added to all channels, or None.
    """

    maps: torch.Tensor
    matrix: torch.Tensor | None = None
    offset: torch.Tensor | None = None

    def split(self, size: int) -> list["Views"]:
        """Return the views of `size` images at a time."""
        maps = self.maps.split(size)
        if self.matrix is None:
            return [Views(part) for part in maps]
        return [Views(*parts) for parts in zip(maps, self.matrix.split(size), self.offset.split(size), strict=True)]


def draw(count: int, channels: int, settings: Swav, rng: torch.Generator, device: torch.device) -> Views:
    """Draw one view for each of so many images.

    Args:
        count: number of images.
        channels: 1 or 3; grey images keep their values.
        settings: `min_scale`, `rotation`, `flip`, `colour`.
        rng: CPU generator.
        device: where the images are.
    """
    maps = _geometry(count, settings, rng).to(device)
    if not settings.colour or channels != 3:
        return Views(maps)
    matrix, offset = _colour(count, settings.colour, rng)
    return Views(maps, matrix.to(device), offset.to(device))


def view(images: torch.Tensor, views: Views) -> torch.Tensor:
    """Return one view of each image.

    Args:
        images: (B, C, H, W) float32 in 0..1.
        views: of B images, on the same device.

    Returns:
        (B, C, H, W) float32 in 0..1, channels last.
    """
    grid = nn.functional.affine_grid(views.maps, list(images.shape), align_corners=False)
    changed = nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if views.matrix is not None:
        offset = (views.offset * changed.mean(dim=(2, 3))).sum(dim=1)
        changed = torch.einsum("bij,bjhw->bihw", views.matrix, changed).add_(offset.view(-1, 1, 1, 1)).clamp_(0, 1)
    return changed.contiguous(memory_format=torch.channels_last)


def _geometry(count: int, settings: Swav, rng: torch.Generator) -> torch.Tensor:
    """Return (B, 2, 3) maps from the view's coordinates (-1..1) to the image's."""
    area = _uniform(count, settings.min_scale, 1, rng)
    aspect = torch.exp(_uniform(count, math.log(ASPECT[0]), math.log(ASPECT[1]), rng))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    x, y = (1 - width) * _uniform(count, -1, 1, rng), (1 - height) * _uniform(count, -1, 1, rng)
    angle = _uniform(count, -1, 1, rng) * math.radians(settings.rotation)
    mirror = torch.where(torch.rand(count, generator=rng) < (0.5 if settings.flip else 0), -1.0, 1.0)
    rows = [width * angle.cos() * mirror, -width * angle.sin(), x, height * angle.sin() * mirror, height * angle.cos(), y]
    return torch.stack(rows, dim=1).view(count, 2, 3)


def _colour(count: int, strength: float, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, 3, 3) matrices and the (B, 3) weights of the mean colour in what is added to all channels."""
    identity, luma = torch.eye(3).expand(count, 3, 3), torch.tensor(LUMA)
    grey = luma.expand(3, 3)  # each row the luma: all channels become the grey value
    brightness, contrast, saturation = (_uniform(count, max(0, 1 - strength), 1 + strength, rng).view(-1, 1, 1) for _ in range(3))
    turned = _hue(_uniform(count, -1, 1, rng) * strength * HUE_TURN)
    matrix = turned @ (saturation * identity + (1 - saturation) * grey) @ (identity * brightness)
    # contrast moves every colour away from the grey value of the mean colour, or towards it
    offset = (1 - contrast) * (luma @ matrix).unsqueeze(1)
    matrix = matrix * contrast
    jittered = (torch.rand(count, generator=rng) < JITTER_SHARE).view(-1, 1, 1)
    matrix, offset = torch.where(jittered, matrix, identity), (offset * jittered).squeeze(1)
    to_grey = (torch.rand(count, generator=rng) < GREY_SHARE).view(-1, 1, 1)
    return torch.where(to_grey, grey @ matrix, matrix), offset


def _hue(turn: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, 3) rotations of the hue by parts of a full turn."""
    yiq = torch.tensor(YIQ)
    cos, sin = torch.cos(2 * math.pi * turn), torch.sin(2 * math.pi * turn)
    rotation = torch.zeros(len(turn), 3, 3)
    rotation[:, 0, 0] = 1
    rotation[:, 1, 1] = rotation[:, 2, 2] = cos
    rotation[:, 1, 2], rotation[:, 2, 1] = -sin, sin
    return torch.linalg.inv(yiq) @ rotation @ yiq


def _uniform(count: int, low: float, high: float, rng: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, generator=rng)
