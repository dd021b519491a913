"""Batch normalisation, an addition and ReLU in one go on a GPU: two passes over the activations forwards, two backwards.

A network of convolutions on a GPU spends as long between them as in them: PyTorch's own batch normalisation of channels-last
maps runs at a fifth of the memory's speed, and ReLU and the sum with a shortcut read and write everything once more. With
M = N * H * W rows of C channels, z = scale x + shift + added and y = max(z, 0), or y = z and every z alive:

    forwards    sums of x and x^2 over the rows, then y;
    backwards   sums of d = g [z > 0] and of d (x - mean) rstd, then dx = scale (d - mean of d - (x - mean) rstd mean of the other),
                and d itself for what was added.

Every sum is of partial sums in a fixed order, so equal inputs give equal bits. Sums are in float32, of differences from the
first row, so that a large mean costs no digits (unless that row lies far from all others). Imported only where there is a GPU:
Triton comes with PyTorch there, and wants a C compiler.
"""

import torch
import triton
import triton.language as tl
from torch import nn
from torch.autograd.function import once_differentiable

ROWS, CHANNELS = 64, 64  # of a tile (chosen on an H200: 1.1 to 1.8 times what the memory allows)
PARTS = 264  # programs that share a sum over the rows: two for each of 132 multiprocessors (likewise)
TOGETHER = 64  # partial sums that are added up at once
LAUNCH = {"num_warps": 8, "enable_fp_fusion": True}  # said, since what it is by default depends on Triton's version
STAGES = tl.constexpr(3)  # of a sum's loop: tiles that are on their way from memory while one is added


@triton.jit
def _columns(block, channels, CHANNELS: tl.constexpr):
    """Return the channels of a block, and which of them there are."""
    column = block * CHANNELS + tl.arange(0, CHANNELS)
    return column, column < channels


@triton.jit
def _places(begin, rows, column, inside, channels, ROWS: tl.constexpr):
    """Return where the values of a tile are, and which of them there are."""
    row = begin + tl.arange(0, ROWS)
    return row.to(tl.int64)[:, None] * channels + column[None, :], (row < rows)[:, None] & inside[None, :]


@triton.jit
def _row(kept, number: tl.constexpr, channels, column, inside):
    """Return one row of a (rows, channels) array, to be broadcast over a tile."""
    return tl.load(kept + number * channels + column, mask=inside, other=0).to(tl.float32)[None, :]


@triton.jit
def _positive(value):
    """Return what is above 0, else 0; unlike `tl.maximum`, what is no number stays none, so that a divergence is seen."""
    return tl.where(value <= 0, 0, value)


@triton.jit
def _tile(array, place, mask):
    return tl.load(array + place, mask=mask, other=0).to(tl.float32)


@triton.jit
def _store_part(partial, one, two, column, inside, channels, parts):
    """Keep this program's sums of two tiles: partial is (2, parts, channels)."""
    place = partial + tl.program_id(0) * channels + column
    tl.store(place, tl.sum(one, axis=0), mask=inside)
    tl.store(place + parts * channels, tl.sum(two, axis=0), mask=inside)


@triton.jit
def _added_up(partial, column, inside, channels, parts, TOGETHER: tl.constexpr, CHANNELS: tl.constexpr):
    """Add up both kinds of partial sums: -> (CHANNELS,) twice."""
    one = tl.zeros((TOGETHER, CHANNELS), tl.float32)
    two = tl.zeros((TOGETHER, CHANNELS), tl.float32)
    for begin in range(0, parts, TOGETHER):
        place, mask = _places(begin, parts, column, inside, channels, TOGETHER)
        one += tl.load(partial + place, mask=mask, other=0)
        two += tl.load(partial + parts * channels + place, mask=mask, other=0)
    return tl.sum(one, axis=0), tl.sum(two, axis=0)


@triton.jit
def _sums(x, partial, rows, channels, parts, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Sum x - first and its square over every `parts`th tile of rows."""
    column, inside = _columns(tl.program_id(1), channels, CHANNELS)
    first = _row(x, 0, channels, column, inside)
    total = tl.zeros((ROWS, CHANNELS), tl.float32)
    squares = tl.zeros((ROWS, CHANNELS), tl.float32)
    for begin in tl.range(tl.program_id(0) * ROWS, rows, parts * ROWS, num_stages=STAGES):
        place, mask = _places(begin, rows, column, inside, channels, ROWS)
        value = tl.where(mask, _tile(x, place, mask) - first, 0)
        total += value
        squares += value * value
    _store_part(partial, total, squares, column, inside, channels, parts)


@triton.jit
def _statistics(
    x, partial, weight, bias, running_mean, running_var, kept, rows, channels, parts, momentum, epsilon,
    TOGETHER: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Turn partial sums into kept (4, channels): scale, shift, mean, rstd; move the running statistics."""
    column, inside = _columns(tl.program_id(0), channels, CHANNELS)
    total, squares = _added_up(partial, column, inside, channels, parts, TOGETHER, CHANNELS)
    difference = total / rows
    mean = tl.load(x + column, mask=inside, other=0).to(tl.float32) + difference
    variance = _positive(squares / rows - difference * difference)
    rstd = 1 / tl.sqrt(variance + epsilon)
    scale = tl.load(weight + column, mask=inside, other=0) * rstd
    tl.store(kept + column, scale, mask=inside)
    tl.store(kept + channels + column, tl.load(bias + column, mask=inside, other=0) - mean * scale, mask=inside)
    tl.store(kept + 2 * channels + column, mean, mask=inside)
    tl.store(kept + 3 * channels + column, rstd, mask=inside)
    old_mean = tl.load(running_mean + column, mask=inside, other=0)
    old_variance = tl.load(running_var + column, mask=inside, other=0)
    unbiased = variance * (rows / (rows - 1))
    tl.store(running_mean + column, old_mean + momentum * (mean - old_mean), mask=inside)
    tl.store(running_var + column, old_variance + momentum * (unbiased - old_variance), mask=inside)


@triton.jit
def _apply(
    x, added, y, kept, rows, channels, ADDS: tl.constexpr, RELU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """One tile of y."""
    column, inside = _columns(tl.program_id(1), channels, CHANNELS)
    place, mask = _places(tl.program_id(0) * ROWS, rows, column, inside, channels, ROWS)
    value = _tile(x, place, mask) * _row(kept, 0, channels, column, inside) + _row(kept, 1, channels, column, inside)
    if ADDS:
        value += _tile(added, place, mask)
    if RELU:
        value = _positive(value)
    tl.store(y + place, value, mask=mask)


@triton.jit
def _error(gradient, y, value, kept, place, mask, column, inside, channels, ADDS: tl.constexpr, RELU: tl.constexpr):
    """Return a tile of d, given that of x."""
    error = _tile(gradient, place, mask)
    if RELU:
        if ADDS:  # then x alone does not say what z was
            z = _tile(y, place, mask)
        else:
            z = value * _row(kept, 0, channels, column, inside) + _row(kept, 1, channels, column, inside)
        error = tl.where(z <= 0, 0, error)  # not z > 0: what is no number passes, as in PyTorch
    return error


@triton.jit
def _gradient_sums(
    gradient, x, y, kept, partial, rows, channels, parts,
    ADDS: tl.constexpr, RELU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Sum d and d (x - mean) rstd over every `parts`th tile of rows."""
    column, inside = _columns(tl.program_id(1), channels, CHANNELS)
    mean, rstd = _row(kept, 2, channels, column, inside), _row(kept, 3, channels, column, inside)
    total = tl.zeros((ROWS, CHANNELS), tl.float32)
    product = tl.zeros((ROWS, CHANNELS), tl.float32)
    for begin in tl.range(tl.program_id(0) * ROWS, rows, parts * ROWS, num_stages=STAGES):
        place, mask = _places(begin, rows, column, inside, channels, ROWS)
        value = _tile(x, place, mask)
        error = _error(gradient, y, value, kept, place, mask, column, inside, channels, ADDS, RELU)
        total += error
        product += error * (value - mean) * rstd
    _store_part(partial, total, product, column, inside, channels, parts)


@triton.jit
def _weight_gradients(partial, gradients, channels, parts, TOGETHER: tl.constexpr, CHANNELS: tl.constexpr):
    """Add up partial sums into gradients (2, channels): of the bias, of the weight."""
    column, inside = _columns(tl.program_id(0), channels, CHANNELS)
    total, product = _added_up(partial, column, inside, channels, parts, TOGETHER, CHANNELS)
    tl.store(gradients + column, total, mask=inside)
    tl.store(gradients + channels + column, product, mask=inside)


@triton.jit
def _gradient(
    gradient, x, y, dx, dadded, kept, gradients, rows, channels,
    ADDS: tl.constexpr, RELU: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """One tile of dx and, where something was added, of d."""
    column, inside = _columns(tl.program_id(1), channels, CHANNELS)
    place, mask = _places(tl.program_id(0) * ROWS, rows, column, inside, channels, ROWS)
    value = _tile(x, place, mask)
    error = _error(gradient, y, value, kept, place, mask, column, inside, channels, ADDS, RELU)
    normalised = (value - _row(kept, 2, channels, column, inside)) * _row(kept, 3, channels, column, inside)
    means = _row(gradients, 0, channels, column, inside) + normalised * _row(gradients, 1, channels, column, inside)
    tl.store(dx + place, _row(kept, 0, channels, column, inside) * (error - means / rows), mask=mask)
    if ADDS:
        tl.store(dadded + place, error, mask=mask)


def scaled(x: torch.Tensor, added: torch.Tensor | None, relu: bool, kept: torch.Tensor) -> torch.Tensor:
    """Return scale x + shift + added, or what of it is above 0.

    Args:
        x: (N, C, H, W) float32, bfloat16 or float16, channels last.
        added: of the same shape and layout, or None.
        relu: whether what is below 0 becomes 0.
        kept: (2 or more, C) float32, scale and shift first.

    Returns:
        (N, C, H, W), kind and layout of x.
    """
    y, adds = torch.empty_like(x), added is not None
    sizes = _sizes(x)
    _apply[_tiles(*sizes)](x, added if adds else x, y, kept, *sizes, adds, relu, ROWS, CHANNELS, **LAUNCH)
    return y


class Normalised(torch.autograd.Function):
    """Normalise with the batch's own statistics, add, cut off what is below 0; the running statistics are moved."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight, bias, added: torch.Tensor | None, relu: bool, norm: nn.BatchNorm2d):
        """x and added (N, C, H, W), channels last; the layer's weight and bias (C,) float32, and itself -> like x."""
        sizes, (partial, parts, blocks) = _sizes(x), _partial(x)
        kept = torch.empty((4, x.shape[1]), dtype=torch.float32, device=x.device)
        _sums[(parts, blocks)](x, partial, *sizes, parts, ROWS, CHANNELS, **LAUNCH)
        running = norm.running_mean, norm.running_var
        _statistics[(blocks,)](
            x, partial, weight, bias, *running, kept, *sizes, parts, norm.momentum, norm.eps, TOGETHER, CHANNELS, **LAUNCH
        )
        y = scaled(x, added, relu, kept)
        ctx.adds, ctx.relu = added is not None, relu
        ctx.save_for_backward(x, y if ctx.adds and relu else x, kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: torch.Tensor):
        """Return the gradients in x (N, C, H, W), weight (C,), bias (C,) and what was added (N, C, H, W) or None."""
        x, y, kept = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        sizes, (partial, parts, blocks) = _sizes(x), _partial(x)
        gradients = torch.empty((2, x.shape[1]), dtype=torch.float32, device=x.device)
        how = (ctx.adds, ctx.relu, ROWS, CHANNELS)
        _gradient_sums[(parts, blocks)](gradient, x, y, kept, partial, *sizes, parts, *how, **LAUNCH)
        _weight_gradients[(blocks,)](partial, gradients, x.shape[1], parts, TOGETHER, CHANNELS, **LAUNCH)
        dx = torch.empty_like(x)
        dadded = torch.empty_like(x) if ctx.adds else None
        _gradient[_tiles(*sizes)](
            gradient, x, y, dx, dadded if ctx.adds else dx, kept, gradients, *sizes, *how, **LAUNCH
        )  # fmt: skip
        return dx, gradients[1], gradients[0], dadded, None, None


def _sizes(x: torch.Tensor) -> tuple[int, int]:
    """Return (rows, channels)."""
    return x.numel() // x.shape[1], x.shape[1]


def _tiles(rows: int, channels: int) -> tuple[int, int]:
    return triton.cdiv(rows, ROWS), triton.cdiv(channels, CHANNELS)


def _partial(x: torch.Tensor) -> tuple[torch.Tensor, int, int]:
    """Return room for partial sums (2, parts, C), how many programs share the rows, and how many blocks the channels make."""
    rows, channels = _sizes(x)
    tiles, blocks = _tiles(rows, channels)
    parts = min(tiles, max(1, PARTS // blocks))
    return torch.empty((2, parts, channels), dtype=torch.float32, device=x.device), parts, blocks
