"""How much of the machine's arithmetic the steps use."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import inputs
from benchmarks.result import Group, Result, Row, clock, interleave, medians, repeat, skipped
from benchmarks.training import bare_rate, fresh, resident_batch
from pipeline_lib.config import Recipe
from pipeline_lib.learn import device, train
from pipeline_lib.learn.feed import Data

GIGA = 1e9
CPU_SIDE, GPU_SIDE = 2048, 8192
HOW = (
    "For information. The matrix product stands for what the machine can do; two operations per multiply-add. Steps: the "
    "floating-point operations of one forward and backward pass, counted by torch's FlopCounterMode (convolutions and matrix "
    "products only), times the steps per second on one resident batch of 32x32x3 images, as a share of the matrix product's rate; "
    "the two alternate after a pair to warm up. The product is a yardstick, not a limit: above 100% the convolutions "
    "run faster than the matrix product of the same library."
)
PEAK_CPU = Row(
    "peak_cpu", "Matrix product, float32, one thread", "GFLOP/s", how=f"Square matrices of side {CPU_SIDE:,}, one CPU thread."
)
PEAK_GPU = Row(
    "peak_gpu",
    "Matrix product, GPU",
    "GFLOP/s",
    how=f"Square matrices of side {GPU_SIDE:,} in the precision that recipes use on the GPU.",
)
SMALL = Row("share_small_cpu", "Steps of `small`, rate against the product's", "%", how="One CPU thread.")
RESNET = Row(
    "share_resnet18_cpu", "Steps of `resnet18`, rate against the product's", "%", how="One CPU thread, a batch of 32 only."
)
RESNET_GPU = Row("share_resnet18_gpu", "Steps of `resnet18`, rate against the product's, GPU", "%", how="On the GPU.")


@dataclass(frozen=True)
class Sizes:
    """Side of the matrices, products per measurement, measurements per row."""

    side: int
    products: int
    repeats: int


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    sizes = Sizes(512, 4, 2) if quick else Sizes(CPU_SIDE, 10, 7)
    cpu = device.choose("cpu", 1)
    yield peak(PEAK_CPU, cpu, sizes)
    yield share(SMALL, cpu, sizes, inputs.recipe("small", 1), steps=5 if quick else 50)
    small_batch = inputs.recipe("resnet18", 1).model_copy(update={"batch": 4 if quick else 32})
    yield share(RESNET, cpu, sizes, small_batch, steps=1 if quick else 2)
    if not torch.cuda.is_available():
        yield from skipped([PEAK_GPU, RESNET_GPU], "not yet measured: needs a GPU")
        return
    gpu, sizes = device.choose("cuda"), Sizes(1024, 4, 2) if quick else Sizes(GPU_SIDE, 50, 7)
    yield peak(PEAK_GPU, gpu, sizes)
    yield share(RESNET_GPU, gpu, sizes, inputs.recipe("resnet18", 1), steps=5 if quick else 100)


def peak(row: Row, where: torch.device, sizes: Sizes) -> Result:
    """Measure the matrix product."""
    product = Product(where, sizes)
    return Result(row.key, repeat(product.rate, sizes.repeats), str(product.dtype).removeprefix("torch."))


class Product:
    """A matrix product in the precision that recipes with `precision: auto` compute in on this device."""

    def __init__(self, where: torch.device, sizes: Sizes):
        self._where, self._sizes = where, sizes
        self.dtype = device.dtype(where, "auto")
        generator = torch.Generator().manual_seed(inputs.SEED)
        self._pair = [torch.randn(sizes.side, sizes.side, generator=generator).to(where, self.dtype) for _ in range(2)]

    def rate(self) -> float:
        """Return GFLOP/s."""
        device.wait(self._where)
        return 2 * self._sizes.side**3 * self._sizes.products / clock(self._work) / GIGA

    def _work(self) -> None:
        for _ in range(self._sizes.products):
            torch.mm(*self._pair)
        device.wait(self._where)


def share(row: Row, where: torch.device, sizes: Sizes, recipe: Recipe, steps: int) -> Result:
    """Measure steps on one resident batch against the matrix product."""
    data = Data(inputs.images(recipe.batch, 3, 32), recipe, where)
    batch, product = resident_batch(data, recipe), Product(where, sizes)
    per_image = operations(data, recipe, batch) / recipe.batch / GIGA

    def bare() -> float:
        return bare_rate(data, recipe, batch, steps) * per_image

    pairs = interleave(bare, product.rate, sizes.repeats)
    done, limit = medians(pairs)
    detail = f"{done:,.1f} of {limit:,.1f} GFLOP/s; {per_image:.3g} GFLOP and {per_image / done * 1e3:.3g} ms per image"
    return Result(row.key, tuple(100 * a / b for a, b in pairs), detail)


def operations(data: Data, recipe: Recipe, batch: tuple[torch.Tensor, torch.Tensor]) -> int:
    """Return the floating-point operations of one step, forward and backward."""
    model, optimiser = fresh(data, recipe)
    with FlopCounterMode(display=False) as counter:
        train.step(model, optimiser, recipe.optimiser.lr, *batch, recipe)
    return counter.get_total_flops()


GROUP = Group("peak", "Share of the arithmetic", HOW, (PEAK_CPU, SMALL, RESNET, PEAK_GPU, RESNET_GPU), measure)
