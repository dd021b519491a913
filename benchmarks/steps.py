"""The same steps computed in other ways: plain eager PyTorch, compiled, in bfloat16."""

import copy
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import torch
from torch import nn

from benchmarks import inputs, machine
from benchmarks.result import Group, Result, Row, clock, interleave, medians, skipped
from benchmarks.training import fresh, resident_batch
from pipeline_lib.config import Recipe
from pipeline_lib.learn import device, losses, norm
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.replay import WARM_UP
from pipeline_lib.learn.step import Step, launched

HOW = (
    "Images per second of the pipeline's step on one resident batch, and of the same step computed in another way: same process, "
    "model, batch and threads; the two alternate, and the value is the median of the ratios of neighbours after a pair to warm up."
)
PLAIN = (
    "Plain: the same network as a sequence of modules, network and images in PyTorch's default memory layout, `torch.optim` with "
    "its defaults, the loss read after every step."
)
COMPILED = "Compiled: forward pass and loss through `torch.compile`; its warm-up is not in the ratio but stands behind it."
BFLOAT = "The recipe's `precision: bfloat16` against float32; without arithmetic of its own for it, a CPU has to convert."
PLAIN_ROWS = (
    Row("plain_small_cpu", "Steps of `small` / plain eager steps", "x", "at least 1.3x", PLAIN),
    Row("plain_digits_cpu", "Steps of `small_digits` / plain eager steps", "x", "at least 1.3x", PLAIN),
)
COMPILED_ROWS = (
    Row("compiled_small_cpu", "Steps of `small`, compiled / as they are", "x", "", COMPILED),
    Row("compiled_digits_cpu", "Steps of `small_digits`, compiled / as they are", "x", "", COMPILED),
)
BFLOAT_ROWS = tuple(
    Row(f"bfloat16_{key}_cpu", f"Steps of `{recipe}`, bfloat16 / float32", "x", "", how, machine.NEEDS_BFLOAT16)
    for key, recipe, how in (
        ("small", "small", BFLOAT),
        ("digits", "small_digits", BFLOAT),
        ("resnet18", "resnet18", f"{BFLOAT} A batch of 32 only."),
        ("resnet32", "resnet32_threshold", BFLOAT),
    )
)
ABREAST = "Each in a stream of its own, asked for in turn by one Python thread; images/s of both over those of one."
GPU_ROWS = (
    Row("compiled_resnet18_gpu", "Steps of `resnet18`, compiled / as they are, GPU", "x", "", COMPILED, "a GPU"),
    Row("replayed_resnet18_gpu", "Steps of `resnet18`, replayed / launched one by one, GPU", "x", needs="a GPU"),
    Row("kernels_resnet18_gpu", "Steps of `resnet18`, our kernels / PyTorch's, GPU", "x", "", "Both replayed.", "a GPU"),
)
ABREAST_ROWS = (
    Row("abreast_resnet18_gpu", "Two trainings side by side / one, recipe `resnet18`, GPU", "x", "", ABREAST, "a GPU"),
    Row("abreast_resnet32_gpu", "Two trainings side by side / one, recipe `resnet32_threshold`, GPU", "x", "", ABREAST, "a GPU"),
)


@dataclass(frozen=True)
class Case:
    """One recipe on images of one size: how many steps a measurement has, how many measurements; the batch, if not the recipe's."""

    recipe: str
    channels: int
    side: int
    steps: int
    repeats: int
    batch: int | None = None


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    cpu = device.choose("cpu", 1)
    cases = (
        Case("small", 3, 32, *((3, 2) if quick else (40, 7))),
        Case("small_digits", 1, 8, *((20, 2) if quick else (400, 7))),
    )
    for case, row in zip(cases, PLAIN_ROWS, strict=True):
        yield compare(row, case, cpu, plain, ours_first=True)
    for case, row in zip(cases, COMPILED_ROWS, strict=True):
        yield compare(row, case, cpu, compiled)
    if device.computes_in_bfloat16(cpu):
        deep = (
            Case("resnet18", 3, 32, *((1, 2) if quick else (2, 5)), batch=32),
            Case("resnet32_threshold", 3, 32, *((1, 2) if quick else (5, 5))),
        )
        for case, row in zip((*cases, *deep), BFLOAT_ROWS, strict=True):
            yield compare(row, case, cpu, bfloat16)
    else:
        yield from skipped(BFLOAT_ROWS)
    if not torch.cuda.is_available():
        yield from skipped([*GPU_ROWS, *ABREAST_ROWS])
        return
    gpu, sizes = device.choose("cuda"), (5, 2) if quick else (100, 7)
    for row, other in zip(GPU_ROWS, (compiled, launched_singly, without_kernels), strict=True):
        yield compare(row, Case("resnet18", 3, 32, *sizes), gpu, other, ours_first=other is not compiled)
    for row, name in zip(ABREAST_ROWS, ("resnet18", "resnet32_threshold"), strict=True):
        yield abreast(row, Case(name, 3, 32, *sizes), gpu)


def compare(row: Row, case: Case, where: torch.device, other: Callable, ours_first: bool = False) -> Result:
    """Measure one way against ours: ours / other if `ours_first`, else other / ours."""
    recipe = inputs.recipe(case.recipe, 1, where.type)
    recipe = recipe.model_copy(update={"batch": case.batch or recipe.batch})
    data = Data(inputs.images(2 * recipe.batch, case.channels, case.side), recipe, where)
    batch = resident_batch(data, recipe)
    take = Step(*fresh(data, recipe), recipe)
    theirs = other(*fresh(data, recipe), batch, recipe)
    with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache):
        warm_up = clock(lambda: (theirs(), device.wait(where)))  # what was compiled before does not count

    def rate(step: Callable[[], object]) -> float:
        def work() -> None:
            for _ in range(case.steps):
                step()
            device.wait(where)

        return case.steps * recipe.batch / clock(work)

    def ours() -> object:
        return take(recipe.optimiser.lr, *batch)

    pairs = interleave(lambda: rate(ours), lambda: rate(theirs), case.repeats)
    one, two = medians(pairs)
    ratios = tuple(a / b if ours_first else b / a for a, b in pairs)
    return Result(row.key, ratios, f"ours {one:,.0f}, the other {two:,.0f} images/s; its first step took {warm_up:.1f} s")


def plain(model: nn.Module, _, batch: tuple, recipe: Recipe) -> Callable[[], object]:
    """Return a step as it is usually written."""
    model, images = sequential(model), batch[0].contiguous()
    settings = recipe.optimiser
    same = {name: getattr(settings, name) for name in ("lr", "weight_decay", "momentum", "nesterov")}
    optimiser = torch.optim.SGD(model.parameters(), **same)

    def step() -> float:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(images), batch[1])
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def sequential(model: nn.Module) -> nn.Sequential:
    """Return `small_cnn` as a sequence of modules that copies its weights, in the default memory layout."""
    layers: list[nn.Module] = []
    for number, (convolution, layer) in enumerate(zip(model.convolutions, model.norms, strict=True)):
        pool = [nn.MaxPool2d(2)] if number < len(model.norms) - 1 else []
        layers += [copy.deepcopy(convolution), *pool, copy.deepcopy(layer), nn.ReLU()]
    last = copy.deepcopy(model.fc)
    channels = model.norms[-1].num_features
    side = round((last.in_features / channels) ** 0.5)
    with torch.no_grad():  # ours takes the features channels last, the usual way channels first
        weight = last.weight.view(-1, side, side, channels).permute(0, 3, 1, 2)
        last.weight = nn.Parameter(weight.reshape(len(weight), -1).contiguous())
    return nn.Sequential(*layers, nn.Flatten(), last).to(memory_format=torch.contiguous_format)


def compiled(model: nn.Module, optimiser, batch: tuple, recipe: Recipe) -> Callable[[], object]:
    """Return a step whose forward and backward pass are compiled, by the compiler from PyTorch's own operations."""
    with_loss = torch.compile(lambda images, labels: nn.functional.cross_entropy(model(images), labels))

    def step() -> None:
        with device.autocast(batch[0].device, recipe.precision):
            loss = with_loss(*batch)
        loss.backward()
        optimiser.step(optimiser.rate(recipe.optimiser.lr))

    return step


def launched_singly(model: nn.Module, optimiser, batch: tuple, recipe: Recipe) -> Callable[[], object]:
    """Return the pipeline's step, never recorded."""
    return lambda: launched(model, optimiser, recipe.precision, losses.plain(recipe), *batch, optimiser.rate(recipe.optimiser.lr))


def without_kernels(model: nn.Module, optimiser, batch: tuple, recipe: Recipe) -> Callable[[], object]:
    """Return the pipeline's step, recorded with PyTorch's own normalisation."""
    take = Step(model, optimiser, recipe)
    with mock.patch.object(norm, "_fused", new=_never):  # a mock would keep what it was called with, and so the graph
        for _ in range(WARM_UP + 1):
            take(recipe.optimiser.lr, *batch)
    return lambda: take(recipe.optimiser.lr, *batch)


def _never(*_: object) -> bool:
    return False


def abreast(row: Row, case: Case, where: torch.device) -> Result:
    """Measure the steps of two trainings side by side against those of one."""
    recipe = inputs.recipe(case.recipe, 1, where.type)
    data = Data(inputs.images(2 * recipe.batch, case.channels, case.side), recipe, where)
    batch = resident_batch(data, recipe)
    trainings = [(Step(*fresh(data, recipe), recipe), torch.cuda.Stream(where)) for _ in range(2)]
    device.wait(where)

    def rate(these: list) -> float:
        def work() -> None:
            for _ in range(case.steps):
                for take, stream in these:
                    with torch.cuda.stream(stream):
                        take(recipe.optimiser.lr, *batch)
            device.wait(where)

        return len(these) * case.steps * recipe.batch / clock(work)

    for training in trainings:  # recorded one after the other
        rate([training])
    pairs = interleave(lambda: rate(trainings), lambda: rate(trainings[:1]), case.repeats)
    both, one = medians(pairs)
    return Result(row.key, tuple(a / b for a, b in pairs), f"{both:,.0f} against {one:,.0f} images/s, batch {recipe.batch}")


def bfloat16(model: nn.Module, optimiser, batch: tuple, recipe: Recipe) -> Callable[[], object]:
    """Return the pipeline's step in bfloat16."""
    coarse = recipe.model_copy(update={"precision": "bfloat16"})
    take = Step(model, optimiser, coarse)
    return lambda: take(recipe.optimiser.lr, *batch)[0]


GROUP = Group(
    "steps", "Steps computed in other ways", HOW, (*PLAIN_ROWS, *COMPILED_ROWS, *BFLOAT_ROWS, *GPU_ROWS, *ABREAST_ROWS), measure
)
