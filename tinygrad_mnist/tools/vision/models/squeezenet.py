"""Iandola et al., "SqueezeNet" (2016)."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from ..refusals import must
from ._api import begin, near_zero, offer


class Fire(nn.Module):
    """A narrow convolution, then convolutions 1 × 1 and 3 × 3 of it, side by side."""

    def __init__(
        self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int
    ) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        """The channels of both."""
        x = self.squeeze_activation(self.squeeze(x))
        small = self.expand1x1_activation(self.expand1x1(x))
        return torch.cat([small, self.expand3x3_activation(self.expand3x3(x))], 1)


_WIDTHS = (64, 64, 128, 128, 192, 192, 256, 256)
_VERSIONS = {"1_0": (96, 7, (0, 3, 7)), "1_1": (64, 3, (0, 2, 4))}
"""Channels and size of the first convolution; before which parts there is a pooling."""


class SqueezeNet(nn.Module):
    """A convolution, eight parts `Fire`, a convolution that gives the classes."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        told = f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected"
        must(version in _VERSIONS, told)
        self.num_classes = num_classes
        before, size, pools = _VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, before, size, stride=2), nn.ReLU(inplace=True)]
        for i, width in enumerate(_WIDTHS):
            if i in pools:
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            layers.append(Fire(before, width // 4, width, width))
            before = 2 * width
        self.features = nn.Sequential(*layers)
        final = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), final, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        begin(self.features, nn.init.kaiming_uniform_)
        begin(self.classifier, near_zero)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        return torch.flatten(self.classifier(self.features(x)), 1)


offer(globals(), "SqueezeNet", {
    "squeezenet1_0 SqueezeNet1_0 squeezenet1_0-b66bff10": partial(SqueezeNet, "1_0"),
    "squeezenet1_1 SqueezeNet1_1 squeezenet1_1-b8a52dc0": partial(SqueezeNet, "1_1"),
})  # fmt: skip
