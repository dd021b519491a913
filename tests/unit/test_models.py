"""The networks against others' forward pass over the same weights."""

import pytest
import torch
import torchvision
from torch import nn

from pipeline_lib.learn import models
from tests.unit.networks import in_the_middle_of_training


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def differ(one: torch.Tensor, two: torch.Tensor) -> float:
    return ((one - two).abs().max() / two.abs().max()).item()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "size"), [("resnet18", 48), ("resnet18_cifar", 16)])
def test_resnet18_is_torchvisions(name, size, training):
    ours = in_the_middle_of_training(models.build(name, 3, size, 7, 0, seed=1)).train(training)
    theirs = torchvision.models.resnet18(num_classes=7)
    if name == "resnet18_cifar":
        theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(5, 3, size, size)
    assert differ(ours(images), theirs.train(training)(images)) < 1e-4


def test_resnet32_is_its_papers():
    """Section 4.2: shortcuts without weights, every second pixel and zeros for the new channels; ReLU after the sum."""
    model = in_the_middle_of_training(models.build("resnet32", 3, 32, 10, 0, seed=1)).eval()
    assert sum(isinstance(layer, nn.Conv2d) for layer in model.modules()) == 31, "and one linear layer"
    x = images = torch.randn(4, 3, 32, 32)
    x = torch.relu(model.stem[1](model.stem[0](x)))
    for number, (one, norm_one, _, two, norm_two) in enumerate(model.blocks):
        after = norm_two(two(torch.relu(norm_one(one(x)))))
        if number in (5, 10):
            x = torch.cat([x[:, :, ::2, ::2], torch.zeros_like(x[:, :, ::2, ::2])], dim=1)
        x = torch.relu(after + x)
    assert differ(model(images), model.fc(x.mean(dim=(2, 3)))) < 1e-4


def test_plain18_has_no_shortcut_and_no_relu_at_the_end_of_a_block():
    model = in_the_middle_of_training(models.build("plain18", 3, 8, 10, 0, seed=1)).eval()
    images = torch.randn(4, 3, 8, 8)
    layers = list(model.body)
    assert [type(layer) for layer in layers[:3]] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d]
    assert [type(layer) for layer in layers[3:]] == 8 * block
    assert differ(model(images), model.fc(model.body(images).mean(dim=(2, 3)))) < 1e-4
