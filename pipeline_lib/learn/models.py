"""The networks that recipes name. Each keeps its last linear layer in `fc`, so that what comes before it are the features.

(B, C, H, W) float -> (B, classes) logits.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from pipeline_lib.learn.norm import normalised

SMALLEST_MAP = 4  # small_cnn halves the image until its side is at most this many pixels


def build(name: str, channels: int, size: int, classes: int, width: int, seed: int) -> nn.Module:
    """Return a freshly initialised network; the weights depend on the seed alone, whatever the device.

    Args:
        name: one of `BUILDERS`.
        channels: 1 or 3.
        size: side of the (square) images in pixels.
        classes: number of outputs.
        width: channels of the first stage (small_cnn only).
        seed: of the initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BUILDERS[name](channels, size, classes, width).to(memory_format=torch.channels_last)


def features_of(model: nn.Module) -> tuple[nn.Module, int]:
    """Return (the network without its last layer, the dimension of what it puts out)."""
    dimension = model.fc.in_features
    model.fc = nn.Identity()
    return model, dimension


class SmallCnn(nn.Module):
    """Conv, pool, norm, ReLU until the map is 4 pixels or less; one more conv; one linear layer over the map.

    3.4 million multiply-adds for a 32x32 colour image at width 16: for digits, and for CIFAR without a GPU.
    """

    def __init__(self, channels: int, size: int, classes: int, width: int):
        super().__init__()
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        while size > SMALLEST_MAP:
            self._add(channels, width)
            channels, width, size = width, 2 * width, size // 2
        width = channels if self.norms else width
        self._add(channels, width)
        self.fc = nn.Linear(width * size * size, classes)

    def _add(self, channels: int, width: int) -> None:
        self.convolutions.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
        self.norms.append(nn.BatchNorm2d(width))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, classes)."""
        # functions where modules have no weights, in place where nobody looks back: of a step on 8x8 pixels, most is overhead
        x = images
        for layer, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            # in training the function: a call of the module takes a tenth of a small convolution's time, and no hook needs it
            x = torch.conv2d(x, convolution.weight, padding=1) if self.training else convolution(x)
            if layer < len(self.norms) - 1:
                x = torch.max_pool2d(x, 2)  # before the normalisation: a quarter of the memory traffic, same receptive field
            x = normalised(norm, x)
        return self.fc(x.permute(0, 2, 3, 1).flatten(1))  # channels last, as they lie: no copy


class Plain18(nn.Module):
    """The thesis's CIFAR-100 network: ResNet-18 without its shortcuts.

    Four stages of two blocks; a block is conv-norm-ReLU-conv-norm with no ReLU at its end. Only the last stage halves
    the map, which makes it 8.8 times as expensive as the usual ResNet-18.
    """

    WIDTHS = (64, 128, 256, 512)

    def __init__(self, channels: int, size: int, classes: int, width: int):
        super().__init__()
        layers = [*_conv_norm(channels, self.WIDTHS[0], 1), nn.ReLU()]
        inside = self.WIDTHS[0]
        for out in self.WIDTHS:
            for block in range(2):
                stride = 2 if out == self.WIDTHS[-1] and block == 0 else 1
                layers += [*_conv_norm(inside, out, stride), nn.ReLU(), *_conv_norm(out, out, 1)]
                inside = out
        self.body = nn.Sequential(*layers)
        self.fc = nn.Linear(inside, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, classes)."""
        x = images
        for layer, following in pairwise([*self.body, None]):
            match layer:
                case nn.BatchNorm2d():
                    x = normalised(layer, x, relu=isinstance(following, nn.ReLU))
                case nn.Conv2d():
                    x = layer(x)
        return self.fc(x.mean(dim=(2, 3)))


class OneConv(nn.Module):
    """The thesis's score model for vegetables: one convolution, ReLU, max-pool, linear."""

    FILTERS, KERNEL = 8, 5

    def __init__(self, channels: int, size: int, classes: int, width: int):
        super().__init__()
        side = ((size - self.KERNEL) // 2 + 1) // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, self.FILTERS, self.KERNEL, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
        )
        self.fc = nn.Linear(self.FILTERS * side * side, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, classes)."""
        return self.fc(self.body(images))


def _conv_norm(inside: int, out: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(out)]


def _resnet18(channels: int, size: int, classes: int, width: int) -> nn.Module:
    """torchvision's ResNet-18 as it is, not pre-trained."""
    from pipeline_lib.learn.resnet18 import ResNet18  # torchvision takes a second to import, and a small network needs none

    model = ResNet18(classes)
    if channels != model.conv1.in_channels:
        model.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return model


def _resnet18_cifar(channels: int, size: int, classes: int, width: int) -> nn.Module:
    """ResNet-18 for small images: a 3x3 stem of stride 1 and no max-pool (0.555 GMAC at 32x32)."""
    model = _resnet18(channels, size, classes, width)
    model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model


class ResNet32(nn.Module):
    """The small ResNet for images of 32x32 pixels: three stages of five blocks, 0.069 GMAC.

    Where a stage halves the map and doubles the channels, the shortcut takes every second pixel and pads with zeros, so it
    has no weights. Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2.
    """

    WIDTHS, BLOCKS = (16, 32, 64), 5

    def __init__(self, channels: int, size: int, classes: int, width: int):
        super().__init__()
        self.stem = nn.Sequential(*_conv_norm(channels, self.WIDTHS[0], 1))
        self.blocks = nn.ModuleList()
        inside = self.WIDTHS[0]
        for out in self.WIDTHS:
            for _ in range(self.BLOCKS):
                stride = 1 if out == inside else 2
                self.blocks.append(nn.Sequential(*_conv_norm(inside, out, stride), nn.ReLU(), *_conv_norm(out, out, 1)))
                inside = out
        self.fc = nn.Linear(inside, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, classes)."""
        convolution, norm = self.stem
        x = normalised(norm, convolution(images))
        for one, one_norm, _, two, two_norm in self.blocks:
            after = two(normalised(one_norm, one(x)))
            if after.shape != x.shape:
                x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, after.shape[1] - x.shape[1]))
            x = normalised(two_norm, after, x)
        return self.fc(x.mean(dim=(2, 3)))


BUILDERS = {
    "small_cnn": SmallCnn,
    "plain18": Plain18,
    "one_conv": OneConv,
    "resnet18": _resnet18,
    "resnet32": ResNet32,
    "resnet18_cifar": _resnet18_cifar,
}


def state(model: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of a network, by name."""
    return {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}


def restore(model: nn.Module, kept: Mapping[str, np.ndarray]) -> None:
    """Give a network what `state` returned of another of its kind."""
    model.load_state_dict({name: torch.from_numpy(np.asarray(array)) for name, array in kept.items()})
