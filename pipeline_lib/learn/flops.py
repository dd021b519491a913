"""How much arithmetic a network costs: its convolutions and matrix products, counted on one black image.

torch's own counter (torch.utils.flop_counter, the reference of the tests) and its `meta` device import the compiler, which
costs every job more than a second.
"""

from typing import NamedTuple

import torch
from torch import nn


class Flops(NamedTuple):
    """Floating-point operations per image; a multiply-add counts two.

    Attributes:
        forward: one clean pass.
        training: forward and backward.
    """

    forward: int
    training: int


def per_image(model: nn.Module, channels: int, side: int) -> Flops:
    """Count convolutions and linear layers; what is done per value (norms, ReLU, the optimiser) is left out.

    The backward pass of a layer costs its forward pass twice, once for the weights and once for the input; the first
    layer's input needs no gradient.

    Args:
        model: any network of ours, still on the CPU; it is not changed.
        channels, side: of its images.
    """
    layers: list[int] = []

    def count(layer: nn.Module, _, out: torch.Tensor) -> None:
        values = out.numel() if isinstance(layer, nn.Conv2d) else 1  # a linear layer uses each of its weights once
        per_value = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.weight.numel()
        layers.append(2 * values * per_value)

    counted = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in counted]
    training = model.training
    with torch.inference_mode():
        model.eval()(torch.zeros(1, channels, side, side))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return Flops(sum(layers), 3 * sum(layers) - layers[0])
