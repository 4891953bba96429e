"""Howard et al., "Searching for MobileNetV3" (2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ..ops import Conv2dNormActivation, SqueezeExcitation
from ._api import begin, make_divisible, near_zero, offer

Norm = Callable[[int], nn.Module]


def inverted(
    before: int, within: int, after: int, kernel: int, stride: int, norm: Norm,
    activation: Callable[..., nn.Module], squeeze: Callable[[], nn.Module] | None,
) -> nn.Sequential:  # fmt: skip
    """Wide, each channel by itself, scaled by what all of them tell, narrow again."""
    layer = partial(Conv2dNormActivation, norm_layer=norm)
    act: Any = {"activation_layer": activation}
    layers: list[nn.Module] = []
    if within != before:
        layers.append(layer(before, within, kernel_size=1, **act))
    layers.append(layer(within, within, kernel_size=kernel, stride=stride, groups=within, **act))
    layers += [squeeze()] if squeeze else []
    layers.append(layer(within, after, kernel_size=1, activation_layer=None))
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """An inverted block, added to its input where the shapes agree."""

    def __init__(
        self, before: int, kernel: int, within: int, after: int, squeezes: bool, activation: str,
        stride: int, norm_layer: Norm,
    ) -> None:  # fmt: skip
        super().__init__()
        self.use_res_connect = stride == 1 and before == after
        squeeze = partial(
            SqueezeExcitation, within, make_divisible(within // 4),
            scale_activation=nn.Hardsigmoid,
        )  # fmt: skip
        self.block = inverted(
            before, within, after, kernel, stride, norm_layer,
            nn.Hardswish if activation == "HS" else nn.ReLU, squeeze if squeezes else None,
        )  # fmt: skip
        self.out_channels = after

    def forward(self, input: Any) -> Any:
        """The sum, or the convolution alone."""
        result = self.block(input)
        return result.add_(input) if self.use_res_connect else result


_LARGE = (
    (16, 3, 16, 16, False, "RE", 1), (16, 3, 64, 24, False, "RE", 2),
    (24, 3, 72, 24, False, "RE", 1), (24, 5, 72, 40, True, "RE", 2),
    (40, 5, 120, 40, True, "RE", 1), (40, 5, 120, 40, True, "RE", 1),
    (40, 3, 240, 80, False, "HS", 2), (80, 3, 200, 80, False, "HS", 1),
    (80, 3, 184, 80, False, "HS", 1), (80, 3, 184, 80, False, "HS", 1),
    (80, 3, 480, 112, True, "HS", 1), (112, 3, 672, 112, True, "HS", 1),
    (112, 5, 672, 160, True, "HS", 2), (160, 5, 960, 160, True, "HS", 1),
    (160, 5, 960, 160, True, "HS", 1),
)  # fmt: skip
"""Channels before, kernel, channels within and after, whether scaled, activation, stride."""
_SMALL = (
    (16, 3, 16, 16, True, "RE", 2), (16, 3, 72, 24, False, "RE", 2),
    (24, 3, 88, 24, False, "RE", 1), (24, 5, 96, 40, True, "HS", 2),
    (40, 5, 240, 40, True, "HS", 1), (40, 5, 240, 40, True, "HS", 1),
    (40, 5, 120, 48, True, "HS", 1), (48, 5, 144, 48, True, "HS", 1),
    (48, 5, 288, 96, True, "HS", 2), (96, 5, 576, 96, True, "HS", 1),
    (96, 5, 576, 96, True, "HS", 1),
)  # fmt: skip


class MobileNetV3(nn.Module):
    """Inverted residual blocks, each a row of settings."""

    def __init__(
        self, inverted_residual_setting: Any, last_channel: int,
        num_classes: int = 1000, norm_layer: Norm | None = None, dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        layer = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        rows: Sequence[Any] = inverted_residual_setting
        width = rows[-1][3]
        blocks = [partial(InvertedResidual, norm_layer=norm)(*row) for row in rows]
        self.features = nn.Sequential(
            layer(3, rows[0][0], stride=2), *blocks, layer(width, 6 * width, kernel_size=1)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * width, last_channel), nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last_channel, num_classes),
        )  # fmt: skip
        begin(self, partial(nn.init.kaiming_normal_, mode="fan_out"), near_zero)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


offer(globals(), "MobileNetV3", {
    "mobilenet_v3_large MobileNet_V3_Large mobilenet_v3_large-8738ca79 "
    "mobilenet_v3_large-5c1a4163/224/232": partial(MobileNetV3, _LARGE, 1280),
    "mobilenet_v3_small MobileNet_V3_Small mobilenet_v3_small-047dcff4":
        partial(MobileNetV3, _SMALL, 1024),
})  # fmt: skip
