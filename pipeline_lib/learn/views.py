"""Random views of images for SwAV: crop and resize, rotation, mirror, colour.

They are those of torchvision's transforms, but for two things: the hue is turned after the other changes of colour (there at any
place among them), and a crop need not begin at a whole pixel.

Geometry is one bilinear sampling step. Brightness, contrast and saturation are each linear in the colours of a pixel, a 3x3 matrix
and an offset per image, applied one after the other: what leaves 0..1 on the way is cut off and does not come back. Then the hue
is turned, and some views become grey. (One linear map for all of it takes half the time but is an easier task, of which worse
features are learned: docs/performance.md.) What is random is drawn on the CPU for many images at once and sent to the device;
there, a view never waits for the CPU.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from pipeline_lib.config import Swav

ASPECT = (3 / 4, 4 / 3)  # width to height of a crop, as in the SwAV paper
TRIES = 10  # draws of a crop until one lies inside the image
JITTER_SHARE, GREY_SHARE = 0.8, 0.2  # of the views, as in the SwAV and SimCLR papers
HUE_TURN = 0.25  # of the jitter strength; a full turn is 1, the papers use 0.2 at strength 0.8
TINY = torch.finfo(torch.float32).tiny  # keeps 0 / 0 at 0
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Colours(NamedTuple):
    """How the colours of each of M images change, in this order.

    Attributes:
        matrices: (M, 3, 3, 3) applied to every pixel's colour, one after the other.
        offsets: (M, 3, 3) times the mean colour that the image then has is added to all channels.
        turns: (M,) of the hue, in full turns.
        grey: (M,) whether the view becomes grey.
    """

    matrices: torch.Tensor
    offsets: torch.Tensor
    turns: torch.Tensor
    grey: torch.Tensor


@dataclass(frozen=True)
class Views:
    """What happens to each of M images.

    Attributes:
        maps: (M, 2, 3) from the view's coordinates (-1..1) to the image's.
        colours: None: they stay as they are.
    """

    maps: torch.Tensor
    colours: Colours | None = None

    def split(self, size: int) -> list["Views"]:
        """Return the views of `size` images at a time."""
        maps = self.maps.split(size)
        if self.colours is None:
            return [Views(part) for part in maps]
        parts = zip(*(part.split(size) for part in self.colours), strict=True)
        return [Views(part, Colours(*colours)) for part, colours in zip(maps, parts, strict=True)]


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
    return Views(maps, Colours(*(part.to(device) for part in _colours(count, settings.colour, rng))))


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
    if views.colours is not None:
        changed = _coloured(changed.flatten(2), views.colours).view_as(changed)
    return changed.contiguous(memory_format=torch.channels_last)


def _coloured(pixels: torch.Tensor, colours: Colours) -> torch.Tensor:
    """Return the pixels (B, 3, H W) in other colours."""
    for matrix, offset in zip(colours.matrices.unbind(1), colours.offsets.unbind(1), strict=True):
        added = (offset * pixels.mean(dim=2)).sum(dim=1).view(-1, 1, 1)
        pixels = torch.baddbmm(added, matrix, pixels).clamp_(0, 1)
    pixels = _turned(pixels, colours.turns)
    luma = sum(weight * channel for weight, channel in zip(LUMA, pixels.unbind(1), strict=True))
    return torch.where(colours.grey.view(-1, 1, 1), luma.unsqueeze(1), pixels)


def _turned(pixels: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Return the pixels (B, 3, P) with their hue, an angle on the hexagon of HSV, turned by parts of a full turn (B,)."""
    red, green, blue = pixels.unbind(1)
    value = torch.maximum(red, green).maximum(blue)
    chroma = value - torch.minimum(red, green).minimum(blue)
    hue = torch.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma)  # times chroma, in sixths of a turn
    hue = torch.where(value == red, green - blue, hue) / chroma.clamp(min=TINY)  # of a grey pixel nothing depends on it
    hue = hue.add_(6 * turns.unsqueeze(1))
    changed = torch.empty_like(pixels)
    for channel, begin in enumerate((5, 3, 1)):
        place = hue + begin
        place = place.sub_((place / 6).floor_(), alpha=6)  # the remainder, which PyTorch computes eight times as slowly
        below = torch.minimum(place, 4 - place).clamp_(0, 1)  # by how much of the chroma the channel is below the value
        torch.addcmul(value, below, chroma, value=-1, out=changed[:, channel])
    return changed


def _geometry(count: int, settings: Swav, rng: torch.Generator) -> torch.Tensor:
    """Return (B, 2, 3) maps from the view's coordinates (-1..1) to the image's."""
    width, height = _crops(count, settings.min_scale, rng)
    x, y = (1 - width) * _uniform(count, -1, 1, rng), (1 - height) * _uniform(count, -1, 1, rng)
    angle = _uniform(count, -1, 1, rng) * math.radians(settings.rotation)
    mirror = torch.where(torch.rand(count, generator=rng) < (0.5 if settings.flip else 0), -1.0, 1.0)
    rows = [width * angle.cos() * mirror, -width * angle.sin(), x, height * angle.sin() * mirror, height * angle.cos(), y]
    return torch.stack(rows, dim=1).view(count, 2, 3)


def _crops(count: int, min_scale: float, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return widths and heights (B,) as shares of the image's side: the first of some draws that lies inside, else all of it.

    As torchvision's RandomResizedCrop; cutting off what does not fit would make larger crops, and the task easier.
    """
    sizes, left = torch.ones(2, count), torch.arange(count)
    for _ in range(TRIES):
        area = _uniform(len(left), min_scale, 1, rng)
        aspect = torch.exp(_uniform(len(left), math.log(ASPECT[0]), math.log(ASPECT[1]), rng))
        drawn = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()])
        inside = (drawn <= 1).all(dim=0)
        sizes[:, left[inside]] = drawn[:, inside]
        left = left[~inside]
    width, height = sizes
    return width, height


def _colours(count: int, strength: float, rng: torch.Generator) -> Colours:
    """Draw changes of colour: brightness, contrast and saturation in an order of each image's own."""
    factors, turns = _jitter(count, strength, rng)
    matrices, offsets = _changes(*factors)
    order = torch.rand((count, 3), generator=rng).argsort(dim=1)
    each, jittered = torch.arange(count).unsqueeze(1), torch.rand(count, generator=rng) < JITTER_SHARE
    matrices = torch.where(jittered.view(-1, 1, 1, 1), matrices[each, order], torch.eye(3))
    grey = torch.rand(count, generator=rng) < GREY_SHARE
    return Colours(matrices, offsets[each, order] * jittered.view(-1, 1, 1), turns * jittered, grey)


def _jitter(count: int, strength: float, rng: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the factors (3, B) of brightness, contrast and saturation, and turns (B,) of the hue."""
    factors = _uniform((3, count), max(0, 1 - strength), 1 + strength, rng)
    return factors, _uniform(count, -1, 1, rng) * strength * HUE_TURN


def _changes(brightness: torch.Tensor, contrast: torch.Tensor, saturation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the three changes in this order, of factors (B,) each, as (B, 3, 3, 3) matrices and (B, 3, 3) weights."""
    identity, luma = torch.eye(3), torch.tensor(LUMA)
    grey = luma.expand(3, 3)  # each row the luma: all channels become the grey value
    brightness, contrast, saturation = (factor.view(-1, 1, 1) for factor in (brightness, contrast, saturation))
    matrices = brightness * identity, contrast * identity, saturation * identity + (1 - saturation) * grey
    offsets = torch.zeros(len(contrast), 3, 3)
    offsets[:, 1] = (1 - contrast[:, 0]) * luma  # away from the grey value of the mean colour, or towards it
    return torch.stack(matrices, dim=1), offsets


def _uniform(shape: int | tuple[int, ...], low: float, high: float, rng: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng)
