"""Tan and Le, "EfficientNet" (2019) and "EfficientNetV2" (2021)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from ..ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from ..refusals import must
from ._api import begin, make_divisible, offer
from .mobilenetv3 import inverted

Norm = Callable[[int], nn.Module]


class MBConv(nn.Module):
    """An inverted block, added to its input where the shapes agree, and left out by chance."""

    def __init__(
        self, before: int, after: int, expand_ratio: float, kernel: int, stride: int,
        stochastic_depth_prob: float, norm_layer: Norm,
    ) -> None:  # fmt: skip
        super().__init__()
        must(stride in (1, 2), "illegal stride value")
        within = make_divisible(before * expand_ratio)
        self.use_res_connect = stride == 1 and before == after
        self.block = self._layers(before, within, after, kernel, stride, norm_layer)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = after

    def _layers(
        self, before: int, within: int, after: int, kernel: int, stride: int, norm: Norm
    ) -> nn.Sequential:
        swish = partial(nn.SiLU, inplace=True)
        squeeze = partial(SqueezeExcitation, within, max(1, before // 4), activation=swish)
        return inverted(before, within, after, kernel, stride, norm, nn.SiLU, squeeze)

    def forward(self, input: Any) -> Any:
        """The sum, or the convolution alone."""
        result = self.block(input)
        return self.stochastic_depth(result).add_(input) if self.use_res_connect else result


class FusedMBConv(MBConv):
    """A wide convolution, and a narrow one after it where it is wider than its input."""

    def _layers(
        self, before: int, within: int, after: int, kernel: int, stride: int, norm: Norm
    ) -> nn.Sequential:
        layer, widens = partial(Conv2dNormActivation, norm_layer=norm), within != before
        first = layer(before, within if widens else after, kernel, stride, activation_layer=nn.SiLU)
        last = [layer(within, after, kernel_size=1, activation_layer=None)] if widens else []
        return nn.Sequential(first, *last)


class EfficientNet(nn.Module):
    """Stages of blocks: each row is a block, its settings, and how many of them there are."""

    def __init__(
        self, inverted_residual_setting: Sequence[Any], dropout: float,
        stochastic_depth_prob: float = 0.2, num_classes: int = 1000,
        norm_layer: Norm | None = None, last_channel: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        rows = inverted_residual_setting
        must(rows, "The inverted_residual_setting should not be empty")
        norm = norm_layer or nn.BatchNorm2d
        layer = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [layer(3, rows[0][4], stride=2)]
        number, total = 0, sum(row[-1] for row in rows)
        for block, ratio, kernel, first, before, after, count in rows:
            stage = []
            for i in range(count):
                chance = stochastic_depth_prob * number / total
                width, stride = (after, 1) if i else (before, first)
                stage.append(block(width, after, ratio, kernel, stride, chance, norm))
                number += 1
            layers.append(nn.Sequential(*stage))
        width = rows[-1][5]
        last = 4 * width if last_channel is None else last_channel
        self.features = nn.Sequential(*layers, layer(width, last, kernel_size=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes)
        )
        begin(self, partial(nn.init.kaiming_normal_, mode="fan_out"), _uniform)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _uniform(weight: Any) -> None:
    most = 1 / math.sqrt(weight.shape[0])
    nn.init.uniform_(weight, -most, most)


_B = (
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3), (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
)  # fmt: skip
"""How many times wider within, kernel, first stride, channels before and after, blocks."""
_S = (
    (1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4), (4, 3, 2, 64, 128, 6),
    (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15),
)  # fmt: skip
_M = (
    (1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5), (4, 3, 2, 80, 160, 7),
    (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5),
)  # fmt: skip
_L = (
    (1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7), (4, 3, 2, 96, 192, 10),
    (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7),
)  # fmt: skip


def _scaled(width: Any, depth: Any, dropout: Any, eps: Any = 1e-5) -> Any:
    """What builds B0 with so many times its channels and blocks."""
    rows = [
        (MBConv, *kernel, *[make_divisible(each * width) for each in widths],
         math.ceil(count * depth))
        for *kernel, before, after, count in _B for widths in [(before, after)]
    ]  # fmt: skip
    norm: Any = (
        {} if eps == 1e-5 else {"norm_layer": partial(nn.BatchNorm2d, eps=eps, momentum=0.01)}
    )
    return partial(EfficientNet, rows, dropout=dropout, **norm)


def _second(rows: Sequence[Any], dropout: float) -> Any:
    """What builds a model of version 2, whose first three stages are fused."""
    of = [(MBConv if i > 2 else FusedMBConv, *row) for i, row in enumerate(rows)]
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    return partial(EfficientNet, of, dropout=dropout, norm_layer=norm, last_channel=1280)


offer(globals(), "EfficientNet", {
    **{
        f"efficientnet_b{i} EfficientNet_B{i} {files}": _scaled(*settings)
        for i, (files, *settings) in enumerate((
            ("efficientnet_b0_rwightman-7f5810bc/224/256/bicubic", 1.0, 1.0, 0.2),
            ("efficientnet_b1_rwightman-bac287d4/240/256/bicubic efficientnet_b1-c27df63c/240/255",
             1.0, 1.1, 0.2),
            ("efficientnet_b2_rwightman-c35c1473/288/288/bicubic", 1.1, 1.2, 0.3),
            ("efficientnet_b3_rwightman-b3899882/300/320/bicubic", 1.2, 1.4, 0.3),
            ("efficientnet_b4_rwightman-23ab8bcd/380/384/bicubic", 1.4, 1.8, 0.4),
            ("efficientnet_b5_lukemelas-1a07897c/456/456/bicubic", 1.6, 2.2, 0.4, 1e-3),
            ("efficientnet_b6_lukemelas-24a108a5/528/528/bicubic", 1.8, 2.6, 0.5, 1e-3),
            ("efficientnet_b7_lukemelas-c5b4e57e/600/600/bicubic", 2.0, 3.1, 0.5, 1e-3),
        ))
    },
    "efficientnet_v2_s EfficientNet_V2_S efficientnet_v2_s-dd5fe13b/384/384": _second(_S, 0.2),
    "efficientnet_v2_m EfficientNet_V2_M efficientnet_v2_m-dc08266a/480/480": _second(_M, 0.3),
    "efficientnet_v2_l EfficientNet_V2_L efficientnet_v2_l-59c71312/480/480/bicubic/0.5":
        _second(_L, 0.4),
})  # fmt: skip
