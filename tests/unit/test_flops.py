"""Arithmetic is counted as torch's own counter does, for every network, without torch's counter."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline_lib.learn import models
from pipeline_lib.learn.flops import Flops, per_image

BATCH = 2


def counted(model, channels, side) -> Flops:
    """Per image: clean forward, and forward and backward of a training step."""
    images, labels = torch.zeros(BATCH, channels, side, side), torch.zeros(BATCH, dtype=torch.long)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(images)
    with FlopCounterMode(display=False) as training:
        nn.functional.cross_entropy(model(images), labels).backward()
    return Flops(forward.get_total_flops() / BATCH, training.get_total_flops() / BATCH)


@pytest.mark.parametrize("name", models.BUILDERS)
@pytest.mark.parametrize(("channels", "side"), [(3, 32), (1, 32)])
def test_every_network_costs_what_torch_counts(name, channels, side):
    model = models.build(name, channels, side, 10, 4, seed=0)
    assert per_image(model, channels, side) == counted(model, channels, side)


def test_small_digits_by_hand():
    """8x8x1, width 4, 10 classes: a convolution on 8x8, one on the pooled 4x4, a linear layer over 4 maps of 4x4."""
    first, second, last = 2 * 64 * 4 * 9, 2 * 16 * 4 * 4 * 9, 2 * 4 * 16 * 10
    forward = first + second + last
    assert per_image(models.build("small_cnn", 1, 8, 10, 4, seed=0), 1, 8) == (forward, 3 * forward - first)


def test_the_networks_of_the_studies_cost_what_is_known_of_them():
    """ResNet-18 for 32x32: 0.555 GMAC and 11.2 million parameters (a 3x3 stem, no max-pool); the thesis's without shortcuts."""
    model = models.build("resnet18_cifar", 3, 32, 10, 0, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 11_173_962
    cost = per_image(model, 3, 32)
    assert cost.forward / 2 == pytest.approx(0.555e9, rel=0.01)
    assert cost.training == pytest.approx(3.33e9, rel=0.01)
    assert per_image(models.build("plain18", 3, 32, 100, 0, seed=0), 3, 32).forward / 2 == pytest.approx(4.91e9, rel=0.01)


def test_resnet32_is_that_of_its_paper():
    """0.069 GMAC and 0.46 million parameters (He et al. 2016, table 6): shortcuts without weights."""
    model = models.build("resnet32", 3, 32, 10, 0, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 464_154
    assert per_image(model, 3, 32).forward / 2 == pytest.approx(0.069e9, rel=0.01)


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_the_network_as_it_was(training):
    model = models.build("small_cnn", 1, 8, 10, 4, seed=0).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    per_image(model, 1, 8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "running statistics among them"
    assert all(module.training == training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
