"""Batch normalisation followed by ReLU, with or without a shortcut added in between: the seam between two convolutions."""

import logging
from functools import cache
from types import ModuleType

import torch
from torch import nn

log = logging.getLogger("pipeline")
KINDS = (torch.float32, torch.bfloat16, torch.float16)


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor, added: torch.Tensor | None = None, relu: bool = True) -> torch.Tensor:
    """Return relu(norm(x) + added).

    On a GPU one kernel takes the place of three, in training and where no gradient is asked for (see `norm_kernels`). Everywhere
    else, and where a gradient is asked for in evaluation mode, it is PyTorch's own operations. Hooks of the layer are called in
    evaluation mode only, and not where a kernel computes.

    Args:
        norm: in training mode its running statistics are moved.
        x: (N, C, H, W), float32 or as autocast has made it.
        added: the same, or None for nothing.
        relu: whether what is below 0 becomes 0.

    Returns:
        (N, C, H, W) of the kind of x.

    Raises:
        ValueError: in training mode, one value per channel: PyTorch's own error.
    """
    if _fused(norm, x, added):
        kernels = _kernels()
        if added is not None:
            added = added.contiguous(memory_format=torch.channels_last)
        if norm.training:
            norm.num_batches_tracked.add_(1)
            return kernels.Normalised.apply(x, norm.weight, norm.bias, added, relu, norm)
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return kernels.scaled(x, added, relu, torch.stack([scale, norm.bias - norm.running_mean * scale]))
    x = _in_training(norm, x) if _trains(norm, x) else norm(x)
    x = x if added is None else x.add_(added)
    return torch.relu_(x) if relu else x


def _trains(norm: nn.BatchNorm2d, x: torch.Tensor) -> bool:
    """Return whether x is normalised by its own statistics, and these move the layer's by its momentum."""
    return norm.training and norm.momentum is not None and x.numel() > x.shape[1]


def _in_training(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    """Return norm(x) without the layer's own call, which takes as long as the arithmetic for a small network."""
    norm.num_batches_tracked.add_(1)
    moved = norm.running_mean, norm.running_var
    return torch.batch_norm(x, norm.weight, norm.bias, *moved, True, norm.momentum, norm.eps, torch.backends.cudnn.enabled)


def _fused(norm: nn.BatchNorm2d, x: torch.Tensor, added: torch.Tensor | None) -> bool:
    """Return whether the kernels can stand in for PyTorch's operations here."""
    if not x.is_cuda or torch.compiler.is_compiling():  # a compiler makes kernels of its own
        return False
    known = x.dtype in KINDS and x.is_contiguous(memory_format=torch.channels_last) and (added is None or added.shape == x.shape)
    looks = not norm.training and not torch.is_grad_enabled()
    return known and (_trains(norm, x) or looks) and _kernels() is not None


@cache
def _kernels() -> ModuleType | None:
    """Return the kernels, once one has run, or None where they cannot be compiled."""
    try:
        from pipeline_lib.learn import norm_kernels

        norm_kernels.scaled(torch.zeros(1, 1, 1, 1, device="cuda"), None, True, torch.zeros(2, 1, device="cuda"))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # no Triton, no compiler, no headers: each has its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        log.warning(
            "the GPU's own kernels cannot be compiled here (%s): PyTorch's are used, and a ResNet-18 takes a quarter longer. They "
            "need a C compiler and Python's headers",
            reason,
        )
        return None
    return norm_kernels
