"""The norm of each example's whole gradient, against one pass backwards per example."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from benchmarks import inputs, isolated, machine
from benchmarks.result import Group, Result, Row, clock, interleave, medians, skipped
from pipeline_lib.learn import device, models
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.full_gradient import gradient_norms

SINGLES, REPEATS = 8, 5
RESNET = {"name": "resnet18_cifar", "channels": 3, "size": 32}
DIGITS = {"name": "small_cnn", "channels": 1, "size": 8}
HOW = (
    "An untrained network, ResNet-18 with the stem for 32x32 or `small_cnn` for digits of 8x8: "
    "`pipeline_lib.learn.full_gradient.gradient_norms` with the chunk that it "
    "chooses itself, and in turn with it a loop of one pass forwards and one backwards per example that adds up the squares of all "
    "gradients; both in evaluation mode and in one process of its own, seconds per example, after one turn to warm up. On a CPU "
    "both do much the same arithmetic: what can be saved are the weights' own gradients and the poor use of a batch of one."
)


@dataclass(frozen=True)
class Case:
    """A network (arguments of `_network`), how many images it is given, the threads of both sides, and our precision."""

    row: Row
    network: dict
    examples: int
    threads: int
    precision: str = "float32"


CASES = (
    Case(Row("grand_full_1", "Gradient norms / one by one, ResNet-18, 1 CPU thread", "x", "at least 5x"), RESNET, 64, 1),
    Case(Row("grand_full_2", "Gradient norms / one by one, ResNet-18, 2 CPU threads", "x", "at least 5x"), RESNET, 64, 2),
    Case(Row("grand_full_digits", "Gradient norms / one by one, digits, 1 CPU thread", "x"), DIGITS, 1437, 1),
    Case(
        Row(
            "grand_full_bfloat16",
            "Gradient norms in bfloat16 / one by one, ResNet-18, 1 CPU thread",
            "x",
            "at least 5x",
            "`ensemble.grand_full.precision: bfloat16`; the other side in single precision, in which a batch of one is no slower.",
            machine.NEEDS_BFLOAT16,
        ),
        RESNET,
        64,
        1,
        "bfloat16",
    ),
)
MEMORY = Row(
    "grand_full_memory",
    "Peak memory of the gradient norms, ResNet-18",
    "MB",
    "the same for any number of examples",
    "One thread, a process of its own.",
)


def measure(quick: bool) -> Iterator[Result]:
    """Yield how many times as fast each case is, then the memory."""
    singles, repeats = (1, 1) if quick else (SINGLES, REPEATS)
    for case in CASES:
        if case.precision == "bfloat16" and not device.computes_in_bfloat16(torch.device("cpu")):
            yield from skipped([case.row])
            continue
        network = case.network | {"examples": 2 if quick else case.examples}
        sizes = {"network": network, "singles": singles, "repeats": repeats, "threads": case.threads, "precision": case.precision}
        pairs = isolated.call(__name__, "both", sizes, case.threads).value
        ours, theirs = medians(pairs)
        ratios = tuple(theirs / ours for ours, theirs in pairs)
        yield Result(case.row.key, ratios, f"{1e3 * ours:.3g} ms against {1e3 * theirs:.3g} ms per example")
    counts = (2, 8) if quick else (64, 256)
    few, many = (isolated.call(__name__, "norms", {"network": RESNET | {"examples": count}}, 1).peak for count in counts)
    yield Result(MEMORY.key, (few,), f"{many:,.0f} MB with {counts[1]} examples, this with {counts[0]}")


def both(network: dict, singles: int, repeats: int, threads: int, precision: str) -> list[tuple[float, float]]:
    """Return pairs of seconds per example, ours and one by one; runs in a process of its own."""
    torch.set_num_threads(threads)
    model, images, labels = _network(**network)

    def ours() -> float:
        return clock(lambda: gradient_norms(model, images, labels, precision=precision)) / len(labels)

    def one_by_one() -> float:
        return clock(lambda: [_one(model, images, labels, index) for index in range(singles)]) / singles

    return interleave(ours, one_by_one, repeats)


def norms(network: dict) -> float:
    """Return the seconds of one call; runs in a process of its own, whose memory is looked at."""
    torch.set_num_threads(1)
    model, images, labels = _network(**network)

    return clock(lambda: gradient_norms(model, images, labels))


def _network(name: str, channels: int, size: int, examples: int):
    """Return (network, images, labels)."""
    data = inputs.images(examples, channels, size)
    model = models.build(name, channels, size, inputs.CLASSES, 16, inputs.SEED).eval()
    pixels = Images(data.train_images, [0.5] * channels, [0.25] * channels, torch.device("cpu"))
    return model, pixels, torch.from_numpy(data.train_labels)


def _one(model, images, labels, index: int):
    """Return one example's norm by a pass backwards of its own."""
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images.clean(torch.tensor([index]))), labels[index : index + 1])
    loss.backward()
    return torch.stack([parameter.grad.square().sum() for parameter in model.parameters()]).sum().sqrt()


GROUP = Group("gradients", "Whole gradients per example", HOW, (*(case.row for case in CASES), MEMORY), measure)
