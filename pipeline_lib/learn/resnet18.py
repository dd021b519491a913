"""torchvision's ResNet-18 with its weights, names and order of operations, the seams between convolutions computed at once."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from pipeline_lib.learn.norm import normalised


class _Block(BasicBlock):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        after = self.conv2(normalised(self.bn1, self.conv1(x)))
        if self.downsample is not None:
            convolution, norm = self.downsample
            x = normalised(norm, convolution(x), relu=False)
        return normalised(self.bn2, after, x)


class ResNet18(ResNet):
    """Two basic blocks in each of four stages."""

    def __init__(self, classes: int):
        super().__init__(_Block, [2, 2, 2, 2], num_classes=classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, classes)."""
        x = self.maxpool(normalised(self.bn1, self.conv1(images)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))
