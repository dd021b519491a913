"""The norm of each example's own gradient, over all chosen layers, from one pass forwards and one backwards for many examples.

In evaluation mode no example has an influence on another, so the gradient of the summed loss in what a layer puts out holds one
example's gradient in every row. From it and from what entered the layer follows the norm of the example's gradient in the
layer's weights, which are themselves never differentiated:

    linear       g (O), a (I)          || g a^T ||^2 = |g|^2 |a|^2
    convolution  G (O, P), A (P, I K)  || G A ||^2, by the product itself, or as sum of (G^T G) * (A A^T), whichever is cheaper
    batch norm   g (O, P), x (O, P)    a scale and a shift per channel: sums over the P positions

with P positions, K weights of the kernel per channel, I channels in and O out. What is kept of an example is freed as the pass
backwards goes. Source: Goodfellow 2015 (linear layers); Rochette et al. 2019 and Bu et al. 2022 (convolutions, the choice).
"""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product

import torch
from torch import nn
from torch.nn import functional

from pipeline_lib.errors import PipelineError, one_of
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.device import autocast, in_halves

# what a chunk may hold (chosen): enough for 16 images of 32x32 in a ResNet-18, more were no faster; on a GPU for hundreds
CHUNK_BYTES = {"cpu": 2**29, "cuda": 2**32}
WORKSPACE = 3  # times what the layers are given: their gradients, and copies inside one layer


def gradient_norms(
    model: nn.Module,
    images: Images,
    labels: torch.Tensor,
    layers: Sequence[str] | str = "all",
    precision: str = "float32",
    chunk: int | None = None,
) -> torch.Tensor:
    """Return the norm of each example's gradient of the cross-entropy; clean images, evaluation mode.

    Args:
        model: any network of ours; it is left in evaluation mode.
        images: N of them, on the model's device.
        labels: (N,) int64.
        layers: "all", or patterns of module names such as "fc" or "layer4.*".
        precision: of the products, "float32" or "bfloat16"; sums are in single precision.
        chunk: examples at a time, or their halves where a GPU's memory is too full; None: as many as `CHUNK_BYTES` hold. It changes
            nothing but memory and time.

    Returns:
        (N,) float32, 0 or more, on the model's device.

    Raises:
        PipelineError: a pattern names no layer, or a chosen layer is of a kind that is not known here.
    """
    model.eval()
    chosen = chosen_layers(model, layers)
    chunk = chunk or largest_chunk(model, images, chosen)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:

        def squares(rows: torch.Tensor) -> torch.Tensor:
            return _squares(model, chosen, images.clean(rows), labels[rows], precision)

        parts = torch.arange(images.examples, device=images.device).split(chunk)
        return torch.cat([in_halves(squares, part, []).sqrt() for part in parts])
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def chosen_layers(model: nn.Module, patterns: Sequence[str] | str) -> list[nn.Module]:
    """Return the layers with parameters whose names fit a pattern.

    Raises:
        PipelineError: a pattern names none, or one is of a kind that is not known here.
    """
    named = {name: layer for name, layer in model.named_modules() if next(layer.parameters(recurse=False), None) is not None}
    wanted = ["*"] if patterns == "all" else patterns
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in named):
            raise PipelineError(f"ensemble.grand_full.layers: {pattern!r} names no layer of the network; it has {one_of(named)}")
    found = {name: layer for name, layer in named.items() if any(fnmatchcase(name, pattern) for pattern in wanted)}
    for name, layer in found.items():
        if type(layer) not in SQUARES or getattr(layer, "groups", 1) != 1 or getattr(layer, "padding_mode", "zeros") != "zeros":
            raise PipelineError(f"grand_full: the layer {name} is {layer}; it is known for linear layers, convolutions, batch norm")
    return list(found.values())


def largest_chunk(model: nn.Module, images: Images, layers: list[nn.Module]) -> int:
    """Return how many examples fit into the memory of a chunk, from what one example makes the network hold.

    That is what enters and leaves all layers from the first chosen one on, through which a gradient goes, and one layer before it.
    """
    seen, chosen = [], set(layers)

    def hold(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        seen.append((layer in chosen, inputs[0].nbytes + output.nbytes))

    hooks = [layer.register_forward_hook(hold) for layer in model.modules() if not any(layer.children())]
    try:
        with torch.enable_grad():  # without it a GPU computes a norm and what follows at once, and its hook is not called
            model(images.clean(torch.zeros(1, dtype=torch.int64, device=images.device)))
    finally:
        for hook in hooks:
            hook.remove()
    is_chosen, held = zip(*seen, strict=True)
    first = is_chosen.index(True)
    return max(1, CHUNK_BYTES[images.device.type] // (WORKSPACE * (sum(held[first:]) + max(held[:first], default=0))))


def _squares(model: nn.Module, layers: list[nn.Module], images: torch.Tensor, labels: torch.Tensor, precision: str) -> torch.Tensor:
    """Return (B,) squared norms of one chunk."""
    total = torch.zeros(len(labels), device=images.device)

    def watch(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
        entered = inputs[0].detach()
        if not output.requires_grad:  # the first of the chosen layers: nothing before it is differentiated
            output = output.requires_grad_().clone()  # what follows may be computed in place, which a leaf forbids

        def add(gradient: torch.Tensor) -> None:
            total.add_(SQUARES[type(layer)](layer, entered, gradient))

        output.register_hook(add)
        return output

    hooks = [layer.register_forward_hook(watch) for layer in layers]
    try:
        with torch.enable_grad():
            with autocast(images.device, precision):
                logits = model(images)
            functional.cross_entropy(logits.float(), labels, reduction="sum").backward()
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _linear(layer: nn.Linear, entered: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return (B,) squared norms: (B, I), (B, O) ->."""
    entered, gradient = entered.float(), gradient.float()
    return gradient.square().sum(dim=1) * (entered.square().sum(dim=1) + (layer.bias is not None))


def _batch_norm(layer: nn.BatchNorm2d, entered: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return (B,) squared norms: (B, O, H, W) twice ->."""
    entered, gradient = entered.float(), gradient.float()
    shift = gradient.sum(dim=(2, 3))  # (B, O)
    product = (gradient * entered).sum(dim=(2, 3))
    scale = (product - layer.running_mean * shift) * (layer.running_var + layer.eps).rsqrt()
    return scale.square().sum(dim=1) + shift.square().sum(dim=1)


def _convolution(layer: nn.Conv2d, entered: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return (B,) squared norms: (B, I, H, W), (B, O, H', W') ->."""
    entered = entered.to(gradient.dtype)
    errors = gradient.permute(0, 2, 3, 1).flatten(1, 2)  # (B, P, O): as they lie, channels last
    positions, outputs, weights = errors.shape[1], errors.shape[2], layer.weight[0].numel()
    by_product = positions * (weights + outputs) >= weights * outputs
    squares = alike = 0
    for part in _parts(layer, entered, gradient.shape[2:]):  # one weight of the kernel at a time: (B, P, I)
        if by_product:
            squares = squares + (errors.mT @ part).float().square_().sum(dim=(1, 2))
        else:
            alike = alike + (part @ part.mT).float()
    if not by_product:
        squares = (alike * (errors @ errors.mT)).sum(dim=(1, 2))
    return squares if layer.bias is None else squares + errors.float().sum(dim=1).square().sum(dim=1)


def _parts(layer: nn.Conv2d, entered: torch.Tensor, size: tuple[int, int]) -> Iterator[torch.Tensor]:
    """Yield, for every weight of the kernel, what it meets at each of the P positions: (B, P, I)."""
    (high, wide), (down, right), (step_down, step_right) = layer.kernel_size, layer.padding, layer.stride
    padded = functional.pad(entered, (right, right, down, down)).permute(0, 2, 3, 1)
    for row, column in product(range(high), range(wide)):
        top, left = row * layer.dilation[0], column * layer.dilation[1]
        rows = slice(top, top + (size[0] - 1) * step_down + 1, step_down)
        columns = slice(left, left + (size[1] - 1) * step_right + 1, step_right)
        yield padded[:, rows, columns].flatten(1, 2)


Squares = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]
SQUARES: dict[type, Squares] = {nn.Linear: _linear, nn.BatchNorm2d: _batch_norm, nn.Conv2d: _convolution}
