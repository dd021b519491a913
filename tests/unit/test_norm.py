"""The seam between two convolutions: batch normalisation, an addition, ReLU. The GPU's kernels run here in Triton's interpreter."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline_lib.learn.norm import normalised

ROOT = Path(__file__).parents[2]
CASES = [  # images, channels, side, whether something is added, whether ReLU follows
    (5, 24, 7, False, True),  # fewer channels than a tile has, rows that fill none
    (3, 64, 9, True, True),
    (4, 130, 5, True, False),  # more channels than a tile has
    (300, 8, 8, False, False),  # more tiles of rows than programs
]


def inputs(images: int, channels: int, side: int, adds: bool, kind=torch.float32):
    """Values far from 0, as after a convolution with a bias: the sum of squares alone would lose their variance."""
    draw = torch.Generator().manual_seed(images)
    maps = [
        torch.randn(images, channels, side, side, generator=draw) * 2 + 50,
        torch.randn(images, channels, side, side, generator=draw),
    ]
    x, added = (each.to(kind).contiguous(memory_format=torch.channels_last).requires_grad_() for each in maps)
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.uniform_(-1, 2, generator=draw)
        norm.bias.normal_(generator=draw)
        norm.running_mean.normal_(generator=draw)
        norm.running_var.uniform_(0.5, 2, generator=draw)
    gradient = torch.randn(images, channels, side, side, generator=draw).to(kind)
    return norm, x, added if adds else None, gradient


def plainly(norm: nn.BatchNorm2d, x, added, relu: bool, gradient) -> list[torch.Tensor]:
    """What PyTorch's own operations make of it in double precision."""
    norm, x = copy.deepcopy(norm).double(), x.detach().double().requires_grad_()
    added = None if added is None else added.detach().double().requires_grad_()
    y = norm(x) if added is None else norm(x) + added
    y = torch.relu(y) if relu else y
    y.backward(gradient.double())
    return outcome(norm, x, added, y)


def by_kernels(norm: nn.BatchNorm2d, x, added, relu: bool, gradient) -> list[torch.Tensor]:
    """The same by the kernels, where `normalised` takes them."""
    y = normalised(norm, x, added, relu)
    y.backward(gradient)
    return outcome(norm, x, added, y)


def outcome(norm: nn.BatchNorm2d, x, added, y) -> list[torch.Tensor]:
    """The output, all gradients and the running statistics."""
    return [y, *(t.grad for t in (x, norm.weight, norm.bias, added) if t is not None), norm.running_mean, norm.running_var]


def error(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return ||one - other|| / ||other||."""
    return ((one.double() - other).norm() / other.norm()).item()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_away_from_a_gpu_it_is_pytorchs_own_operations(case):
    *sizes, adds, relu = case
    norm, x, added, _ = inputs(*sizes, adds)
    reference = copy.deepcopy(norm)
    y = normalised(norm, x, added, relu)
    expected = reference(x) + added if adds else reference(x)
    assert torch.equal(y, torch.relu(expected) if relu else expected)
    assert norm.num_batches_tracked == 1
    assert torch.equal(norm.running_var, reference.running_var)


def test_hooks_see_what_the_layer_puts_out_before_relu():
    norm, x, added, _ = inputs(5, 24, 7, adds=True)
    seen = []
    norm.register_forward_hook(lambda layer, entered, left: seen.append(left.min().item()))
    normalised(norm.eval(), x, added)
    assert seen[0] < 0


@pytest.mark.long
def test_the_kernels_compute_what_pytorch_does():
    pytest.importorskip("triton", reason="Triton comes with PyTorch's builds for a GPU")
    # in a process of its own: whether Triton interprets or compiles is settled when it is imported
    command = [sys.executable, "-c", "from tests.unit.test_norm import interpreted; interpreted()"]
    environment = {"TRITON_INTERPRET": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["compared"] * len(CASES)


def interpreted() -> None:
    """Compare every case in both modes, and what is no number; in the other process."""
    from pipeline_lib.learn import norm, norm_kernels

    norm._fused, norm._kernels = lambda *_: True, lambda: norm_kernels
    for *sizes, adds, relu in CASES:
        layer, x, added, gradient = inputs(*sizes, adds)
        expected = plainly(layer, x, added, relu, gradient)
        still = copy.deepcopy(layer).eval().double()(x.double())
        still = still + added if adds else still
        with torch.no_grad():
            evaluated = normalised(copy.deepcopy(layer).eval(), x, added, relu)
        assert error(evaluated, torch.relu(still) if relu else still) < 1e-5
        found = by_kernels(layer, x, added, relu, gradient)
        assert len(found) == len(expected) == (7 if adds else 6)
        errors = [error(one, other) for one, other in zip(found, expected, strict=True)]
        assert max(errors) < 1e-4, errors
        assert layer.num_batches_tracked == 1
        for bad in (float("nan"), float("inf")):
            no_number_stays_none(bad, *sizes, adds, relu)
        print("compared")


def no_number_stays_none(bad: float, *case) -> None:
    """A training that diverges must be seen to: PyTorch's ReLU lets pass what is no number."""
    *sizes, adds, relu = case
    layer, x, added, gradient = inputs(*sizes, adds)
    with torch.no_grad():
        x[0, 1, 0, 0] = bad
    y, dx, *_, mean, variance = by_kernels(layer, x, added, relu, gradient)
    reference, x = copy.deepcopy(layer), x.detach().requires_grad_()
    expected = reference(x) + added if adds else reference(x)
    expected = torch.relu(expected) if relu else expected
    expected.backward(gradient)
    assert torch.equal(y.isnan(), expected.isnan())
    assert y[:, 1].isnan().all()
    assert dx[:, 1].isnan().all()
    assert x.grad[:, 1].isnan().all()
    assert not torch.isfinite(mean[1])
    assert not torch.isfinite(variance[1])
