"""Networks for tests."""

from torch import nn


def in_the_middle_of_training(model: nn.Module) -> nn.Module:
    """Give batch norm statistics and weights that are not those of the beginning."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return model
