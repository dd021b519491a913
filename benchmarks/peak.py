"""How much of the machine's arithmetic the steps use."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import inputs, machine
from benchmarks.result import Group, Result, Row, clock, interleave, medians, repeat, skipped
from benchmarks.training import bare_rate, fresh, resident_batch
from pipeline_lib.config import Recipe
from pipeline_lib.learn import device
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.speed import squares
from pipeline_lib.learn.step import Step

GIGA = 1e9
CPU_SIDE, GPU_SIDE = 2048, 8192
COPIED = {"cpu": 2**28, "cuda": 2**32}  # bytes
HOW = (
    "The matrix product stands for what the machine can do; two operations per multiply-add. Steps: the "
    "floating-point operations of one forward and backward pass, counted by torch's FlopCounterMode (convolutions and matrix "
    "products only), times the steps per second on one resident batch of 32x32x3 images, as a share of the matrix product's rate; "
    "the two alternate after a pair to warm up, so that a product may run at another rate than in its own row. On a CPU it is the "
    "faster of MKL's and oneDNN's. Two floors stand behind each share: the operations over the product's "
    "rate, and the bytes over the memory's, where only what this way of computing keeps of the forward pass for the backward "
    "pass is counted, written once and read once."
)
PEAK_CPU = Row(
    "peak_cpu", "Matrix product, float32, one thread", "GFLOP/s", how=f"Square matrices of side {CPU_SIDE:,}, one CPU thread."
)
BANDWIDTH_CPU = Row(
    "bandwidth_cpu", "Memory, one thread", "GB/s", how="A copy of 256 MB: bytes read and bytes written, over the time."
)
BANDWIDTH_GPU = Row("bandwidth_gpu", "Memory of the GPU", "GB/s", how="A copy of 4 GB on the GPU.", needs="a GPU")
PEAK_GPU = Row(
    "peak_gpu",
    "Matrix product, GPU",
    "GFLOP/s",
    how=f"Square matrices of side {GPU_SIDE:,} in the precision that recipes use on the GPU.",
    needs="a GPU",
)
SMALL = Row("share_small_cpu", "Steps of `small`, rate against the product's", "%", how="One CPU thread.")
RESNET = Row(
    "share_resnet18_cpu",
    "Steps of `resnet18`, rate against the product's",
    "%",
    "at least 35%",
    "One CPU thread, a batch of 32 only.",
)
PEAK_BFLOAT16 = Row("peak_bfloat16_cpu", "Matrix product, bfloat16, one thread", "GFLOP/s", needs=machine.NEEDS_BFLOAT16)
RESNET_BFLOAT16 = Row(
    "share_resnet18_bfloat16_cpu",
    "Steps of `resnet18` in bfloat16, rate against the product's",
    "%",
    "at least 35%",
    "One CPU thread, a batch of 32 only.",
    machine.NEEDS_BFLOAT16,
)
RESNET_GPU = Row(
    "share_resnet18_gpu", "Steps of `resnet18`, rate against the product's, GPU", "%", "at least 35%", "On the GPU.", "a GPU"
)


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
    yield peak(PEAK_CPU, cpu, sizes, "float32")
    yield bandwidth(BANDWIDTH_CPU, cpu, 2**24 if quick else COPIED["cpu"], sizes.repeats)
    yield share(SMALL, cpu, sizes, inputs.recipe("small", 1), steps=5 if quick else 50)
    small_batch = inputs.recipe("resnet18", 1).model_copy(update={"batch": 4 if quick else 32})
    yield share(RESNET, cpu, sizes, small_batch, steps=1 if quick else 2)
    if device.computes_in_bfloat16(cpu):
        yield peak(PEAK_BFLOAT16, cpu, sizes, "bfloat16")
        yield share(RESNET_BFLOAT16, cpu, sizes, small_batch.model_copy(update={"precision": "bfloat16"}), steps=1 if quick else 2)
    else:
        yield from skipped([PEAK_BFLOAT16, RESNET_BFLOAT16])
    if not torch.cuda.is_available():
        yield from skipped([PEAK_GPU, BANDWIDTH_GPU, RESNET_GPU])
        return
    gpu, sizes = device.choose("cuda"), Sizes(1024, 4, 2) if quick else Sizes(GPU_SIDE, 50, 7)
    yield peak(PEAK_GPU, gpu, sizes, inputs.PRECISION["cuda"])
    yield bandwidth(BANDWIDTH_GPU, gpu, 2**24 if quick else COPIED["cuda"], sizes.repeats)
    yield share(RESNET_GPU, gpu, sizes, inputs.recipe("resnet18", 1, "cuda"), steps=5 if quick else 100)


def peak(row: Row, where: torch.device, sizes: Sizes, precision: str) -> Result:
    """Measure the matrix product."""
    product = Product(where, sizes, precision)
    return Result(row.key, repeat(product.rate, sizes.repeats), precision)


def bandwidth(row: Row, where: torch.device, size: int, repeats: int) -> Result:
    """Measure a copy of so many bytes."""
    return Result(row.key, repeat(lambda: copy_rate(where, size), repeats), "")


def copy_rate(where: torch.device, size: int) -> float:
    """Return GB/s, read and written."""
    source, target = (torch.zeros(size, dtype=torch.uint8, device=where) for _ in range(2))
    target.copy_(source)  # the pages are there
    device.wait(where)
    return 2 * size / clock(lambda: (target.copy_(source), device.wait(where))) / GIGA


class Product:
    """A matrix product, the faster way there is."""

    def __init__(self, where: torch.device, sizes: Sizes, precision: str):
        self._where, self._sizes = where, sizes
        generator = torch.Generator().manual_seed(inputs.SEED)
        ways = squares(torch.randn(sizes.side, sizes.side, generator=generator).to(where, device.DTYPES[precision]))
        self._product = max(ways, key=lambda way: max(self._rate(way) for _ in range(2)))

    def rate(self) -> float:
        """Return GFLOP/s."""
        return self._rate(self._product)

    def _rate(self, product: Callable[[], torch.Tensor]) -> float:
        device.wait(self._where)
        return 2 * self._sizes.side**3 * self._sizes.products / clock(lambda: self._work(product)) / GIGA

    def _work(self, product: Callable[[], torch.Tensor]) -> None:
        for _ in range(self._sizes.products):
            product()
        device.wait(self._where)


def share(row: Row, where: torch.device, sizes: Sizes, recipe: Recipe, steps: int) -> Result:
    """Measure steps on one resident batch against the matrix product."""
    data = Data(inputs.images(recipe.batch, 3, 32), recipe, where)
    batch, product = resident_batch(data, recipe), Product(where, sizes, recipe.precision)
    per_image = operations(data, recipe, batch) / recipe.batch / GIGA

    def bare() -> float:
        return bare_rate(data, recipe, batch, steps) * per_image

    pairs = interleave(bare, product.rate, sizes.repeats)
    done, limit = medians(pairs)
    moved = 2 * kept_for_backward(data, recipe, batch) / recipe.batch / GIGA
    memory = copy_rate(where, COPIED[where.type])
    floors = f"{per_image / limit * 1e3:.3g} ms by {per_image:.3g} GFLOP, {moved / memory * 1e3:.3g} ms by {moved * 1e3:.3g} MB"
    detail = f"{done:,.1f} of {limit:,.1f} GFLOP/s; {per_image / done * 1e3:.3g} ms per image, floors {floors}"
    return Result(row.key, tuple(100 * a / b for a, b in pairs), detail)


def operations(data: Data, recipe: Recipe, batch: tuple[torch.Tensor, torch.Tensor]) -> int:
    """Return the floating-point operations of one step, forward and backward."""
    model, optimiser = fresh(data, recipe)
    with FlopCounterMode(display=False) as counter:
        Step(model, optimiser, recipe)(recipe.optimiser.lr, *batch)
    return counter.get_total_flops()


def kept_for_backward(data: Data, recipe: Recipe, batch: tuple[torch.Tensor, torch.Tensor]) -> int:
    """Return the bytes that one forward pass leaves for the backward pass, weights not counted."""
    model, optimiser = fresh(data, recipe)
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        Step(model, optimiser, recipe)(recipe.optimiser.lr, *batch)
    return sum(size for address, size in kept.items() if address not in weights)


GROUP = Group(
    "peak",
    "Share of the arithmetic",
    HOW,
    (PEAK_CPU, BANDWIDTH_CPU, SMALL, RESNET, PEAK_BFLOAT16, RESNET_BFLOAT16, PEAK_GPU, BANDWIDTH_GPU, RESNET_GPU),
    measure,
)
