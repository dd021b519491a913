"""Which device a job computes on, and with how many threads."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from pipeline_lib.errors import PipelineError
from pipeline_lib.hardware import gpu_expected

log = logging.getLogger("pipeline")


def choose(wanted: str, threads: int = 1) -> torch.device:
    """Return the device and fix the number of CPU threads, so that results do not depend on `--cores`.

    Args:
        wanted: "auto" (a GPU where there is one), "cpu" or "cuda".
        threads: CPU threads of this process.

    Raises:
        PipelineError: a GPU was asked for and there is none.
    """
    torch.set_num_threads(threads)
    if wanted == "cuda" and not torch.cuda.is_available():
        raise PipelineError("config.yaml says `device: cuda`, but PyTorch sees no GPU here. Use `device: auto` or `cpu`")
    if gpu_expected(wanted) and not torch.cuda.is_available():
        log.warning("there is a GPU, but PyTorch %s cannot use it (too old a driver?): computing on the CPU", torch.__version__)
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 is what a recipe says: 24 bits
    return torch.device("cuda")


def name(device: torch.device) -> str:
    """Return the device in words, for records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} thread(s), {torch.backends.cpu.get_cpu_capability()}"


def dtype(device: torch.device, precision: str) -> torch.dtype:
    """Return what forward passes compute in.

    bfloat16 has the exponents of float32, so no loss scaling is needed (half precision without it lost gradients).

    Args:
        device: where.
        precision: "float32", "bfloat16", or "auto": bfloat16 on a GPU that computes in it, else float32. Not on a CPU, where
            a result would depend on its kind: with AVX-512 BF16 it is faster, without it slower (`make bench`).
    """
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if precision == "bfloat16" or (precision == "auto" and native) else torch.float32


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which a forward pass runs, given `precision` of the recipe."""
    if dtype(device, precision) == torch.bfloat16:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()  # one that is switched off takes 3% of a step on 8x8 pixels


def in_halves(compute: Callable[[torch.Tensor], torch.Tensor], index: torch.Tensor, seen: list) -> torch.Tensor:
    """Compute a batch, or its halves one after the other if the GPU's memory cannot hold it.

    Args:
        compute: index (B,) -> (B, ...).
        index: the batch.
        seen: what `compute` appends to on its way; what a failed attempt has left there is taken away.
    """
    before = len(seen)
    try:
        return compute(index)
    except torch.OutOfMemoryError:
        if len(index) == 1:
            raise
        del seen[before:]
    return torch.cat([in_halves(compute, half, seen) for half in index.tensor_split(2)])


def wait(device: torch.device) -> None:
    """Return when the device has done all it was given; before every reading of a clock."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
