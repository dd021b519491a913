"""What `precision: auto` means here."""

import numpy as np
import pytest
import torch

from pipeline_lib.config import Recipe, Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import precision
from pipeline_lib.learn.precision import settled

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def recipe(**changes) -> Recipe:
    values = {"model": "small_cnn", "optimiser": {"name": "sgd", "lr": 0.1}, "schedule": {"name": "constant"}, "epochs": 1}
    return Recipe.model_validate(values | {"batch": 128} | changes)


def noise(channels: int, side: int) -> Dataset:
    images = np.zeros((4, channels, side, side), dtype=np.uint8)
    labels = np.arange(4) % 2
    return Dataset(images, labels, images, labels, ["a", "b"], list("abcd"))


@pytest.fixture
def arithmetic(monkeypatch):
    """Say whether the processor, and the GPU, have arithmetic for bfloat16."""

    def have(cpu: bool = False, gpu: bool = False) -> None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: cpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu or including_emulation)

    return have


def test_what_a_recipe_says_is_left_as_it_is(arithmetic):
    arithmetic(cpu=True, gpu=True)
    for where in (CPU, GPU):
        assert settled(recipe(precision="float32"), noise(3, 32), where).precision == "float32"
    arithmetic()
    for where in (CPU, GPU):
        assert settled(recipe(precision="bfloat16"), noise(1, 8), where).precision == "bfloat16"


def test_on_a_gpu_it_is_what_the_gpu_computes_in(arithmetic):
    arithmetic(gpu=True)
    assert settled(recipe(), noise(1, 8), GPU).precision == "bfloat16"
    arithmetic(cpu=True)
    assert settled(recipe(), noise(3, 32), GPU).precision == "float32"


@pytest.mark.parametrize(
    ("channels", "side", "changes", "expected"),
    [
        (3, 32, {}, "bfloat16"),  # 2.5 GFLOP a step
        (3, 32, {"batch": 25}, "float32"),  # 0.5
        (1, 8, {}, "float32"),  # 0.03
        (1, 8, {"model": "resnet18_cifar", "batch": 64}, "bfloat16"),  # 13
    ],
)
def test_on_a_cpu_with_the_arithmetic_the_work_of_a_step_decides(arithmetic, channels, side, changes, expected):
    arithmetic(cpu=True)
    assert settled(recipe(**changes), noise(channels, side), CPU).precision == expected
    arithmetic()
    assert settled(recipe(**changes), noise(channels, side), CPU).precision == "float32"


def test_the_limit_is_in_operations_of_one_step(arithmetic, monkeypatch):
    """By hand: two images of 2x2 pixels, one channel. A convolution of 9 weights to 1 channel (no input gradient: twice), and a
    linear layer of 4 x 2 weights (three times); a multiply-add counts two."""
    arithmetic(cpu=True)
    work = 2 * (2 * 2 * 4 * 9 + 3 * 2 * 4 * 2)
    small = recipe(width=1, batch=2)
    monkeypatch.setattr(precision, "WORTH", work)
    assert settled(small, noise(1, 2), CPU).precision == "bfloat16"
    monkeypatch.setattr(precision, "WORTH", work + 1)
    assert settled(small, noise(1, 2), CPU).precision == "float32"


def test_swav_settles_likewise(arithmetic):
    arithmetic(cpu=True)
    assert settled(Swav(batch=256), noise(3, 32), CPU).precision == "bfloat16"
    assert settled(Swav(batch=128), noise(1, 8), CPU).precision == "float32"
    assert settled(Swav(batch=256, precision="float32"), noise(3, 32), CPU).precision == "float32"


def test_a_step_of_swav_has_two_views(arithmetic, monkeypatch):
    arithmetic(cpu=True)
    values = {"width": 1, "batch": 2, "model": "small_cnn"}
    monkeypatch.setattr(precision, "WORTH", 2 * precision._operations(recipe(**values), noise(1, 2)))
    assert settled(recipe(**values), noise(1, 2), CPU).precision == "float32"
    assert settled(Swav(**values), noise(1, 2), CPU).precision == "bfloat16"


def test_nothing_else_of_the_settings_changes_and_settling_twice_is_settling_once(arithmetic):
    arithmetic(cpu=True)
    once = settled(recipe(), noise(3, 32), CPU)
    assert once == recipe(precision="bfloat16")
    arithmetic()
    assert settled(once, noise(3, 32), CPU) == once
