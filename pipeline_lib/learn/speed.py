"""How fast a training was: where its time went, and how much of the device's arithmetic it used.

The yardstick is the device's own matrix product, measured beside the training in the precision that the training computes in.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from torch import nn

from pipeline_lib.learn.device import DTYPES, wait
from pipeline_lib.resume import State

SIDE = {"cpu": 512, "cuda": 8192}  # of the square matrices: 3 ms on one core
PRODUCTS = {"cpu": 1, "cuda": 10}  # one after another: a GPU holds its highest clock for a moment only
TRIES = {"cpu": 6, "cuda": 3}  # the fastest counts, so that what else the machine does hardly matters; the first ones warm up
TERA = 1e12


class Clock:
    """Add up the wall-clock seconds of a training by what they went into. A GPU is not waited for until they are asked for.

    Args:
        device: where the work is done.
    """

    def __init__(self, device: torch.device):
        self._device, self._seconds = device, Counter()
        self._marks: list[tuple[str, float | torch.cuda.Event, float | torch.cuda.Event]] = []

    def timed(self, part: str, function: Callable) -> Callable:
        """Return the function, its time counted as this part."""

        def counted(*args):
            begin = self._now()
            result = function(*args)
            self._marks.append((part, begin, self._now()))
            return result

        return counted

    def drawing(self, part: str, batches: Iterator) -> Iterator:
        """Yield the batches and count what making them takes as this part."""
        nothing = object()
        draw = self.timed(part, partial(next, batches, nothing))
        while (batch := draw()) is not nothing:
            yield batch

    def add_up(self) -> Counter[str]:
        """Return the sums of all parts so far. The device is waited for: call it where that costs nothing, once an epoch."""
        on_gpu = self._device.type == "cuda"
        wait(self._device)
        for part, begin, end in self._marks:
            self._seconds[part] += begin.elapsed_time(end) / 1000 if on_gpu else end - begin
        self._marks.clear()
        return self._seconds

    def state(self) -> dict[str, np.ndarray]:
        """Return the sums, for a checkpoint."""
        return {part: np.array(seconds) for part, seconds in self.add_up().items()}

    def restore(self, state: State) -> None:
        """Go on from what `state` returned."""
        self._seconds.update({part: float(seconds) for part, seconds in state.items()})

    def _now(self) -> float | torch.cuda.Event:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


@dataclass
class Speed:
    """What trainings did, and in what time; sums of them add up.

    Attributes:
        images: training images seen, repetitions counted.
        flops: floating-point operations of all forward and backward passes over them (a multiply-add counts two).
        data_seconds: drawing orders and changes, making batches.
        compute_seconds: forward, backward, optimiser.
        evaluation_seconds: predictions: the validation split, test accuracies, records.
        io_seconds: reading and writing files.
    """

    images: int = 0
    flops: float = 0.0
    data_seconds: float = 0.0
    compute_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    io_seconds: float = 0.0

    def __add__(self, other: "Speed") -> "Speed":
        """Return the account of both together."""
        return Speed(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def images_per_second(self) -> float:
        """Training images over the time of the loop, making batches included; NaN if there were none."""
        return self._rate(self.images)

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations over the same time."""
        return self._rate(self.flops)

    def _rate(self, amount: float) -> float:
        loop = self.data_seconds + self.compute_seconds
        return amount / loop if loop else float("nan")

    def record(self, peak: float) -> dict[str, float]:
        """Return what is kept of it beside a result, by name.

        Args:
            peak: FLOP/s of the device, as from `peak`.
        """
        rates = {"images_per_second": self.images_per_second, "flops_per_second": self.flops_per_second}
        return vars(self) | rates | {"peak_flops_per_second": peak}

    def words(self, peak: float) -> str:
        """Say it in one line.

        Args:
            peak: FLOP/s of the device, as from `peak`.
        """
        if not self.images:
            return ""
        parts = {"data": self.data_seconds, "compute": self.compute_seconds, "evaluation": self.evaluation_seconds}
        parts["files"] = self.io_seconds
        split = ", ".join(f"{name} {value / sum(parts.values()):.0%}" for name, value in parts.items())
        share = f", {self.flops_per_second / peak:.0%} of the measured peak" if not math.isnan(peak) else ""
        return f"{self.images_per_second:,.0f} images/s, {self.flops_per_second / TERA:.3g} TFLOP/s{share}; time: {split}"


def peak(device: torch.device, precision: str) -> float:
    """Return the FLOP/s of a square matrix product, the fastest of a few, with the threads that torch has now.

    It is measured once a process and takes some hundredths of a second. Where other jobs slow the product down, a training may
    reach more than this.

    Args:
        device: where to compute.
        precision: "float32" or "bfloat16".

    Returns:
        FLOP/s, or NaN if a GPU has no room left for the matrices: a training needs no yardstick.
    """
    try:
        return _peak(device, DTYPES[precision], torch.get_num_threads())
    except torch.OutOfMemoryError:
        return float("nan")


@cache
def _peak(device: torch.device, kind: torch.dtype, threads: int) -> float:
    side, products = SIDE[device.type], PRODUCTS[device.type]
    noise = torch.Generator(device).manual_seed(0)  # zeros would let a GPU run at a higher clock
    matrix = torch.randn(side, side, dtype=kind, device=device, generator=noise)
    seconds = [_timed(product, products, device) for _ in range(TRIES[device.type]) for product in squares(matrix)]
    return 2 * side**3 * products / min(seconds)


def squares(matrix: torch.Tensor) -> list[Callable[[], torch.Tensor]]:
    """Return the ways in which PyTorch multiplies a matrix by itself, each as a call without arguments.

    On a CPU single precision has two: MKL's, which `torch.mm` takes and which is slow on some processors, and that of oneDNN, which
    computes the convolutions.

    Args:
        matrix: square, on its device, in the precision to compute in.
    """
    ways: list[Callable[[], torch.Tensor]] = [partial(torch.mm, matrix, matrix)]
    if matrix.device.type == "cpu" and matrix.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        packed = matrix.to_mkldnn()
        ways.append(partial(nn.functional.linear, packed, packed))
    return ways


def _timed(product: Callable[[], torch.Tensor], times: int, device: torch.device) -> float:
    wait(device)
    begin = time.perf_counter()
    for _ in range(times):
        product()
    wait(device)
    return time.perf_counter() - begin
