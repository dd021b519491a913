"""Two random views of every image of a batch, for SwAV: crop and resize, rotation, mirror, colour; all on the device.

Geometry is one bilinear sampling step; brightness, contrast, saturation, hue and grey are each linear in the colours of
a pixel, so together they are one 3x3 matrix and one offset per image.
"""

import math

import torch
from torch import nn

from pipeline_lib.config import Swav

ASPECT = (3 / 4, 4 / 3)  # width to height of a crop, as in the SwAV paper
JITTER_SHARE, GREY_SHARE = 0.8, 0.2  # of the views, as in the SwAV and SimCLR papers
HUE_TURN = 0.25  # of the jitter strength; a full turn is 1, the papers use 0.2 at strength 0.8
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))  # hue is an angle in its last two axes


def view(images: torch.Tensor, settings: Swav, rng: torch.Generator) -> torch.Tensor:
    """Return one random view of each image.

    Args:
        images: (B, C, H, W) float32 in 0..1.
        settings: `min_scale`, `rotation`, `flip`, `colour`.
        rng: CPU generator.

    Returns:
        (B, C, H, W) float32 in 0..1, same device.
    """
    grid = nn.functional.affine_grid(
        _geometry(len(images), settings, rng).to(images.device), list(images.shape), align_corners=False
    )
    changed = nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if settings.colour and images.shape[1] == 3:
        matrix, offset = (part.to(images.device) for part in _colour(changed.mean(dim=(2, 3)).cpu(), settings.colour, rng))
        changed = torch.einsum("bij,bjhw->bihw", matrix, changed).add_(offset[:, :, None, None]).clamp_(0, 1)
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


def _colour(mean: torch.Tensor, strength: float, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (B, 3, 3) matrices and (B, 3) offsets; `mean` (B, 3) is each image's mean colour."""
    count = len(mean)
    identity, luma = torch.eye(3).expand(count, 3, 3), torch.tensor(LUMA)
    grey = luma.expand(3, 3)  # each row the luma: all channels become the grey value
    brightness, contrast, saturation = (_uniform(count, max(0, 1 - strength), 1 + strength, rng) for _ in range(3))
    matrix = identity * brightness.view(-1, 1, 1)
    saturated = saturation.view(-1, 1, 1) * identity + (1 - saturation).view(-1, 1, 1) * grey
    matrix = _hue(_uniform(count, -1, 1, rng) * strength * HUE_TURN) @ saturated @ matrix
    grey_mean = (matrix @ mean.unsqueeze(-1)).squeeze(-1) @ luma
    matrix, offset = matrix * contrast.view(-1, 1, 1), ((1 - contrast) * grey_mean).unsqueeze(-1).expand(count, 3)
    jittered = torch.rand(count, generator=rng) < JITTER_SHARE
    matrix, offset = torch.where(jittered.view(-1, 1, 1), matrix, identity), offset * jittered.unsqueeze(-1)
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
