"""Batch normalisation followed by ReLU, with or without a shortcut added in between: the seam between two convolutions."""

import importlib.util
from functools import cache

import torch
from torch import nn


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor, added: torch.Tensor | None = None, relu: bool = True) -> torch.Tensor:
    """Return relu(norm(x) + added).

    On a GPU one kernel takes the place of three, in training and where no gradient is asked for (see `norm_kernels`). Everywhere
    else, and where a gradient is asked for in evaluation mode, it is PyTorch's own operations, on whose outputs hooks may look.

    Args:
        norm: in training mode its running statistics are moved.
        x: (N, C, H, W).
        added: the same, or None for nothing.
        relu: whether what is below 0 becomes 0.
    """
    if _fused(norm, x):
        from pipeline_lib.learn import norm_kernels  # there is nothing to compile for without a GPU

        if added is not None:
            added = added.contiguous(memory_format=torch.channels_last)
        if norm.training:
            norm.num_batches_tracked.add_(1)
            return norm_kernels.Normalised.apply(x, norm.weight, norm.bias, added, relu, norm)
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return norm_kernels.apply(x, added, relu, torch.stack([scale, norm.bias - norm.running_mean * scale]))
    x = norm(x)
    x = x if added is None else x.add_(added)
    return torch.relu_(x) if relu else x


def _fused(norm: nn.BatchNorm2d, x: torch.Tensor) -> bool:
    """Return whether the kernels can stand in for PyTorch's operations here."""
    if not x.is_cuda or not _compiler() or (norm.training and norm.momentum is None):
        return False
    if torch.compiler.is_compiling():
        return False  # makes kernels of its own
    wanted = norm.training or not torch.is_grad_enabled()
    return wanted and x.is_contiguous(memory_format=torch.channels_last)


@cache
def _compiler() -> bool:
    return importlib.util.find_spec("triton") is not None
