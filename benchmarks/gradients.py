"""The norm of each example's whole gradient, against one pass backwards per example."""

from collections.abc import Iterator

from benchmarks import inputs, isolated
from benchmarks.result import Group, Result, Row, clock, interleave, medians

EXAMPLES, SINGLES, REPEATS = 64, 8, 3
THREADS = (1, 2)
HOW = (
    "ResNet-18 with the stem for 32x32, untrained: `pipeline_lib.learn.full_gradient.gradient_norms` with the chunk that it "
    "chooses itself, and in turn with it a loop of one pass forwards and one backwards per example that adds up the squares of all "
    "gradients; both in evaluation mode and in one process of its own, seconds per example, after one turn to warm up. On a CPU "
    "both do much the same arithmetic: what can be saved are the weights' own gradients and the poor use of a batch of one."
)
ROWS = tuple(
    Row(f"grand_full_{threads}", f"Gradient norms / one by one, ResNet-18, {threads} CPU thread(s)", "x", "at least 5x")
    for threads in THREADS
)
MEMORY = Row(
    "grand_full_memory",
    "Peak memory of the gradient norms, ResNet-18",
    "MB",
    "the same for any number of examples",
    "One thread, a process of its own.",
)


def measure(quick: bool) -> Iterator[Result]:
    """Yield how many times as fast with one and with two threads, then the memory."""
    examples, singles, repeats = (2, 1, 1) if quick else (EXAMPLES, SINGLES, REPEATS)
    for row, threads in zip(ROWS, THREADS, strict=True):
        sizes = {"examples": examples, "singles": singles, "repeats": repeats, "threads": threads}
        ours, theirs = isolated.call(__name__, "both", sizes, threads).value
        yield Result(row.key, (theirs / ours,), f"{1e3 * ours:.0f} ms against {1e3 * theirs:.0f} ms per example")
    few, many = (isolated.call(__name__, "norms", {"examples": times * examples}, 1).peak for times in (1, 4))
    yield Result(MEMORY.key, (few,), f"{many:,.0f} MB with {4 * examples} examples, this with {examples}")


def both(examples: int, singles: int, repeats: int, threads: int) -> tuple[float, float]:
    """Return the seconds per example, ours and one by one; runs in a process of its own."""
    import torch

    torch.set_num_threads(threads)
    model, images, labels = _network(examples)
    from pipeline_lib.learn.full_gradient import gradient_norms

    def ours() -> float:
        return clock(lambda: gradient_norms(model, images, labels)) / examples

    def one_by_one() -> float:
        return clock(lambda: [_one(model, images, labels, index) for index in range(singles)]) / singles

    return medians(interleave(ours, one_by_one, repeats))


def norms(examples: int) -> float:
    """Return the seconds of one call; runs in a process of its own, whose memory is looked at."""
    import torch

    torch.set_num_threads(1)
    model, images, labels = _network(examples)
    from pipeline_lib.learn.full_gradient import gradient_norms

    return clock(lambda: gradient_norms(model, images, labels))


def _network(examples: int):
    """Return (network, images, labels)."""
    import torch

    from pipeline_lib.learn import models
    from pipeline_lib.learn.augment import Images

    data = inputs.images(examples, 3, 32)
    model = models.build("resnet18_cifar", 3, 32, inputs.CLASSES, 16, inputs.SEED).eval()
    return model, Images(data.train_images, [0.5] * 3, [0.25] * 3, torch.device("cpu")), torch.from_numpy(data.train_labels)


def _one(model, images, labels, index: int):
    """Return one example's norm by a pass backwards of its own."""
    import torch

    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images.clean(torch.tensor([index]))), labels[index : index + 1])
    loss.backward()
    return torch.stack([parameter.grad.square().sum() for parameter in model.parameters()]).sum().sqrt()


GROUP = Group("gradients", "Whole gradients per example", HOW, (*ROWS, MEMORY), measure)
