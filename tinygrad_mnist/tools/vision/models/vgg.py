"""Simonyan and Zisserman, "Very deep convolutional networks" (2015)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ._api import begin, fan_out, near_zero, offer


class VGG(nn.Module):
    """Convolutions 3 × 3 with pooling between them, three linear layers."""

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(p=dropout),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            begin(self, fan_out, near_zero)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def make_layers(cfg: Sequence[int | str], batch_norm: bool = False) -> nn.Sequential:
    """Convolutions of so many channels; "M" is a pooling."""
    layers: list[nn.Module] = []
    before = 3
    for width in cfg:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(before, width, kernel_size=3, padding=1))
        layers += [nn.BatchNorm2d(width)] if batch_norm else []
        layers.append(nn.ReLU(inplace=True))
        before = width
    return nn.Sequential(*layers)


def _vgg(depths: Sequence[int], batch_norm: bool = False, **settings: Any) -> VGG:
    """The model with so many convolutions before each pooling."""
    cfg: list[int | str] = []
    for depth, width in zip(depths, (64, 128, 256, 512, 512), strict=True):
        cfg += [*[width] * depth, "M"]
    return VGG(make_layers(cfg, batch_norm), **settings)


offer(globals(), "VGG", {
    f"{file.partition('-')[0]} {title} {file}": partial(
        _vgg, depths, batch_norm=title.endswith("BN")
    )
    for title, file, depths in (
        ("VGG11", "vgg11-8a719046", (1, 1, 2, 2, 2)),
        ("VGG11_BN", "vgg11_bn-6002323d", (1, 1, 2, 2, 2)),
        ("VGG13", "vgg13-19584684", (2, 2, 2, 2, 2)),
        ("VGG13_BN", "vgg13_bn-abd245e5", (2, 2, 2, 2, 2)),
        ("VGG16", "vgg16-397923af", (2, 2, 3, 3, 3)),
        ("VGG16_BN", "vgg16_bn-6c64b313", (2, 2, 3, 3, 3)),
        ("VGG19", "vgg19-dcbb9e9d", (2, 2, 4, 4, 4)),
        ("VGG19_BN", "vgg19_bn-c79401a0", (2, 2, 4, 4, 4)),
    )
}, with_weights=lambda weights: {"init_weights": False})  # fmt: skip
