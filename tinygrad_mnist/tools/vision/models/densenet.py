"""Huang et al., "Densely connected convolutional networks" (2017)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ._api import begin, offer


class _DenseLayer(nn.Module):
    """Two convolutions of all that was made before."""

    def __init__(
        self, num_input_features: int, growth_rate: int, bn_size: int, drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        width = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, width, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, growth_rate, kernel_size=3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def forward(self, input: Any) -> Any:
        """The new channels."""
        before = [input] if isinstance(input, torch.Tensor) else input
        if self.memory_efficient and any(each.requires_grad for each in before):
            narrow = checkpoint(self._narrow, *before, use_reentrant=False)
        else:
            narrow = self._narrow(*before)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new

    def _narrow(self, *before: Any) -> Any:
        return self.conv1(self.relu1(self.norm1(torch.cat(before, 1))))


class _DenseBlock(nn.ModuleDict):
    """Layers of which each sees what all before it made."""

    def forward(self, init_features: Any) -> Any:
        """All channels."""
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class _Transition(nn.Sequential):
    """Half as many channels, of a picture half as large."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Blocks of `block_config` layers, each of which adds `growth_rate` channels."""

    def __init__(
        self, growth_rate: int = 32, block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64, bn_size: int = 4, drop_rate: float = 0,
        num_classes: int = 1000, memory_efficient: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        features, width = nn.Sequential(), num_init_features
        features.conv0 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        features.norm0 = nn.BatchNorm2d(width)
        features.relu0 = nn.ReLU(inplace=True)
        features.pool0 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.features = features
        for i, layers in enumerate(block_config, 1):
            block = _DenseBlock()
            for j in range(layers):
                block[f"denselayer{j + 1}"] = _DenseLayer(
                    width + j * growth_rate, growth_rate, bn_size, drop_rate, memory_efficient
                )
            features.add_module(f"denseblock{i}", block)
            width += layers * growth_rate
            if i < len(block_config):
                features.add_module(f"transition{i}", _Transition(width, width // 2))
                width //= 2
        features.norm5 = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, num_classes)
        begin(self, nn.init.kaiming_normal_, lambda weight: None)
        self.register_load_state_dict_pre_hook(_with_new_names)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        out = F.adaptive_avg_pool2d(F.relu(self.features(x), inplace=True), (1, 1))
        return self.classifier(torch.flatten(out, 1))


def _with_new_names(module: Any, state: Any, prefix: str, *_: Any) -> None:
    """Weights of a layer's norm1 were once named norm.1, as in the files of weights."""
    for key in [key for key in state if key.startswith(prefix)]:
        state[re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", key)] = state.pop(key)


offer(globals(), "DenseNet", {
    f"densenet{depth} DenseNet{depth} densenet{depth}-{hash}":
        partial(DenseNet, growth, blocks, width)
    for depth, hash, growth, blocks, width in (
        (121, "a639ec97", 32, (6, 12, 24, 16), 64), (161, "8d451a50", 48, (6, 12, 36, 24), 96),
        (169, "b2777c0a", 32, (6, 12, 32, 32), 64), (201, "c1103571", 32, (6, 12, 48, 32), 64),
    )
})  # fmt: skip
