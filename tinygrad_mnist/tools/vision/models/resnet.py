"""He et al., "Deep residual learning for image recognition" (2016), and its wider kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ..refusals import must
from ._api import begin, fan_out, offer

Norm = Callable[[int], nn.Module] | None


def conv3x3(
    in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """A convolution 3 × 3 that keeps a picture's size."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A convolution 1 × 1."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two convolutions, whose result is added to their input."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None,
        groups: int = 1, base_width: int = 64, dilation: int = 1, norm_layer: Norm = None,
    ) -> None:  # fmt: skip
        super().__init__()
        told = "BasicBlock only supports groups=1 and base_width=64"
        must(groups == 1 and base_width == 64, told)
        must(dilation == 1, "Dilation > 1 not supported in BasicBlock", NotImplementedError)
        norm = norm_layer or nn.BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample, self.stride = downsample, stride

    def forward(self, x: Any) -> Any:
        """The sum."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """Three convolutions, of which the middle one is narrow; their result is added to the input."""

    expansion = 4

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None,
        groups: int = 1, base_width: int = 64, dilation: int = 1, norm_layer: Norm = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample, self.stride = downsample, stride

    def forward(self, x: Any) -> Any:
        """The sum."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """Four stages of blocks, each half as large and twice as wide as the one before."""

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], layers: Sequence[int],
        num_classes: int = 1000, zero_init_residual: bool = False, groups: int = 1,
        width_per_group: int = 64, replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm = None,
    ) -> None:  # fmt: skip
        super().__init__()
        dilates = replace_stride_with_dilation or (False, False, False)
        told = "replace_stride_with_dilation should be None or a 3-element tuple, got"
        must(len(dilates) == 3, f"{told} {dilates}")
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1
        self.groups, self.base_width = groups, width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilates[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilates[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilates[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        begin(self, fan_out)
        for each in self.modules() if zero_init_residual else ():
            if isinstance(each, BasicBlock | Bottleneck):
                last: Any = each.bn2 if isinstance(each, BasicBlock) else each.bn3
                nn.init.zeros_(last.weight)

    def _make_layer(
        self, block: Any, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        """A stage; where it dilates, it keeps the picture's size and looks further instead."""
        before = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        downsample, wide = None, planes * block.expansion
        if stride != 1 or self.inplanes != wide:
            downsample = nn.Sequential(conv1x1(self.inplanes, wide, stride), self._norm_layer(wide))
        common = self.groups, self.base_width
        first = block(self.inplanes, planes, stride, downsample, *common, before, self._norm_layer)
        self.inplanes = wide
        others = [
            block(wide, planes, 1, None, *common, self.dilation, self._norm_layer)
            for _ in range(1, blocks)
        ]
        return nn.Sequential(first, *others)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        return self._forward_impl(x)

    def _forward_impl(self, x: Any) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


_of_two, _of_three = partial(ResNet, BasicBlock), partial(ResNet, Bottleneck)
_50, _101 = (3, 4, 6, 3), (3, 4, 23, 3)
offer(globals(), "ResNet", {
    "resnet18 ResNet18 resnet18-f37072fd": partial(_of_two, (2, 2, 2, 2)),
    "resnet34 ResNet34 resnet34-b627a593": partial(_of_two, _50),
    "resnet50 ResNet50 resnet50-0676ba61 resnet50-11ad3fa6/224/232": partial(_of_three, _50),
    "resnet101 ResNet101 resnet101-63fe2227 resnet101-cd907fc2/224/232": partial(_of_three, _101),
    "resnet152 ResNet152 resnet152-394f9c45 resnet152-f82ba261/224/232":
        partial(_of_three, (3, 8, 36, 3)),
    "resnext50_32x4d ResNeXt50_32X4D resnext50_32x4d-7cdf4587 resnext50_32x4d-1a0047aa/224/232":
        partial(_of_three, _50, groups=32, width_per_group=4),
    "resnext101_32x8d ResNeXt101_32X8D resnext101_32x8d-8ba56ff5 "
    "resnext101_32x8d-110c445d/224/232": partial(_of_three, _101, groups=32, width_per_group=8),
    "resnext101_64x4d ResNeXt101_64X4D resnext101_64x4d-173b62eb/224/232":
        partial(_of_three, _101, groups=64, width_per_group=4),
    "wide_resnet50_2 Wide_ResNet50_2 wide_resnet50_2-95faca4d wide_resnet50_2-9ba9bcbe/224/232":
        partial(_of_three, _50, width_per_group=128),
    "wide_resnet101_2 Wide_ResNet101_2 wide_resnet101_2-32ee1156 "
    "wide_resnet101_2-d733dc28/224/232": partial(_of_three, _101, width_per_group=128),
})  # fmt: skip
