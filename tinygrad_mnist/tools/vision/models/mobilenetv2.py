"""Sandler et al., "MobileNetV2" (2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ..ops import Conv2dNormActivation
from ..refusals import must
from ._api import begin, make_divisible, near_zero, offer

Norm = Callable[[int], nn.Module] | None


class InvertedResidual(nn.Module):
    """Wide, each channel by itself, narrow again; added to the input where the shapes agree."""

    def __init__(
        self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: Norm = None
    ) -> None:
        super().__init__()
        must(stride in (1, 2), f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        layer = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        hidden = round(inp * expand_ratio)
        widened = [layer(inp, hidden, kernel_size=1)] if expand_ratio != 1 else []
        self.stride, self.use_res_connect = stride, stride == 1 and inp == oup
        self.conv = nn.Sequential(
            *widened, layer(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False), norm(oup),
        )  # fmt: skip
        self.out_channels = oup

    def forward(self, x: Any) -> Any:
        """The sum, or the convolution alone."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip
"""How many times wider within, channels, blocks, first stride."""


class MobileNetV2(nn.Module):
    """Inverted residual blocks."""

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None, round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None, norm_layer: Norm = None,
        dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        stages = _STAGES if inverted_residual_setting is None else inverted_residual_setting
        told = "inverted_residual_setting should be non-empty or a 4-element list, got"
        must(len(stages) > 0 and len(stages[0]) == 4, f"{told} {stages}")
        make, norm = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        layer = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        width = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [layer(3, width, stride=2)]
        for ratio, channels, blocks, first in stages:
            new = make_divisible(channels * width_mult, round_nearest)
            for i in range(blocks):
                stride = 1 if i else first
                features.append(make(width, new, stride, expand_ratio=ratio, norm_layer=norm))
                width = new
        features.append(layer(width, self.last_channel, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        begin(self, partial(nn.init.kaiming_normal_, mode="fan_out"), near_zero)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


offer(globals(), "MobileNetV2", {
    "mobilenet_v2 MobileNet_V2 mobilenet_v2-b0353104 mobilenet_v2-7ebf99e0/224/232": MobileNetV2,
})  # fmt: skip
