"""SwAV's steps against all that it does besides: drawing and computing views, looking at its own features."""

from collections.abc import Iterator

import torch

from benchmarks import inputs
from benchmarks.result import Group, Result, Row, repeat, skipped
from pipeline_lib.data import digits
from pipeline_lib.learn import device
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.speed import peak
from pipeline_lib.learn.swav import train_swav

HOW = (
    "`pipeline_lib.learn.swav.train_swav` on the digits data set with the settings that config.yaml gives it: the share of "
    "forward pass, backward pass and optimiser in its own account of its time; the rest are the views, the logged kNN "
    "accuracies and the features in the end. The first training warms up."
)
ROW = Row("swav_digits", "SwAV of digits, share of its time in steps", "%", "", "One CPU thread.")
GPU_ROW = Row("swav_gpu", "SwAV of digits, share of its time in steps, GPU", "%", needs="a GPU")


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    yield share_of_steps(ROW, device.choose("cpu", 1), 1 if quick else 3)
    if torch.cuda.is_available():
        yield share_of_steps(GPU_ROW, device.choose("cuda"), 1 if quick else 3)
    else:
        yield from skipped([GPU_ROW])


def share_of_steps(row: Row, where: torch.device, repeats: int) -> Result:
    """Train a few times and read the accounts."""
    dataset, _ = digits.read({"test_fraction": 0.2}, inputs.SEED)
    settings = settled(inputs.study().swav["digits"], dataset, where)
    accounts = []

    def train() -> float:
        accounts.append(train_swav(dataset, settings, inputs.SEED, where).speed)
        speed = accounts[-1]
        return 100 * speed.compute_seconds / (speed.data_seconds + speed.compute_seconds + speed.evaluation_seconds)

    shares = repeat(train, repeats)
    last = accounts[-1]
    of_peak = last.flops_per_second / peak(where, settings.precision)
    return Result(row.key, shares, f"{last.images_per_second:,.0f} images/s, two views each; {of_peak:.0%} of the product's rate")


GROUP = Group("features", "SwAV", HOW, (ROW, GPU_ROW), measure)
