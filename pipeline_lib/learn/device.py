"""Which device a job computes on, and with how many threads."""

import ctypes
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from pipeline_lib.errors import PipelineError
from pipeline_lib.hardware import gpu_expected

log = logging.getLogger("pipeline")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # by the name that recipes give them
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


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
        _keep_memory()
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # float32 is what a recipe says: 24 bits
    return torch.device("cuda")


def _keep_memory() -> None:
    """Let this process keep what it frees, for the next step: glibc gives large blocks back, and the system clears them anew.

    Where there is no glibc, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def name(device: torch.device) -> str:
    """Return the device in words, for records."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} thread(s), {torch.backends.cpu.get_cpu_capability()}"


def computes_in_bfloat16(device: torch.device) -> bool:
    """Return whether the device has arithmetic of its own for bfloat16: a GPU that does not emulate it, a CPU with AVX-512 BF16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which a forward pass runs.

    bfloat16 has the exponents of float32, so no loss scaling is needed (half precision without it lost gradients).

    Args:
        device: where.
        precision: "float32" or "bfloat16"; what `auto` means, `precision.settled` says.
    """
    if DTYPES[precision] == torch.bfloat16:
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
