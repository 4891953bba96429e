"""`torchvision.ops`: the layers of which models of pictures are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from .refusals import must, refuse

__all__ = ["MLP", "Conv2dNormActivation", "Permute", "SqueezeExcitation", "StochasticDepth",
           "stochastic_depth"]  # fmt: skip

Make = Callable[..., nn.Module] | None
"""What makes a layer, or None for no layer."""


class Conv2dNormActivation(nn.Sequential):
    """A convolution, its norm, its activation; the picture keeps its size where the stride is 1."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any = 3, stride: Any = 1,
        padding: Any = None, groups: int = 1, norm_layer: Make = nn.BatchNorm2d,
        activation_layer: Make = nn.ReLU, dilation: Any = 1, inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:  # fmt: skip
        if padding is None:
            sizes = zip(*(_two(each) for each in (kernel_size, dilation)), strict=True)
            padding = tuple([(size - 1) // 2 * apart for size, apart in sizes])
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                norm_layer is None if bias is None else bias,
            )
        ]  # fmt: skip
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _two(value: Any) -> Sequence[int]:
    return value if isinstance(value, Sequence) else (value, value)


class SqueezeExcitation(nn.Module):
    """Each channel, times a number from 0 to 1 that all channels' means tell.

    Hu et al., "Squeeze-and-excitation networks" (2018).
    """

    def __init__(
        self, input_channels: int, squeeze_channels: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
        scale_activation: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:  # fmt: skip
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, input: Any) -> Any:
        """The scaled channels."""
        hidden = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(hidden)) * input


def stochastic_depth(input: Any, p: float, mode: str, training: bool = True) -> Any:
    """Zeros in the place of whole rows of a batch ("row"), or of all ("batch"), by chance `p`.

    Huang et al., "Deep networks with stochastic depth" (2016).
    """
    must(0 <= p <= 1, f"drop probability has to be between 0 and 1, but got {p}")
    must(mode in ("batch", "row"), f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0:
        return input
    size = [input.shape[0] if mode == "row" else 1, *[1] * (input.ndim - 1)]
    noise = torch.empty(size, dtype=input.dtype, device=input.device).bernoulli_(1 - p)
    return input * (noise.div_(1 - p) if p < 1 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` while a model is trained."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Any) -> Any:
        """The input, or zeros in places."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


class MLP(nn.Sequential):
    """Linear layers with norms, activations and dropout between them."""

    def __init__(
        self, in_channels: int, hidden_channels: Sequence[int], norm_layer: Make = None,
        activation_layer: Make = nn.ReLU, inplace: bool | None = None, bias: bool = True,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        settings: Any = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        width = in_channels
        for i, new in enumerate(hidden_channels, 1):
            layers.append(nn.Linear(width, new, bias=bias))
            width = new
            if i < len(hidden_channels):
                layers += [norm_layer(new)] if norm_layer else []
                layers += [activation_layer(**settings)] if activation_layer else []
            layers.append(nn.Dropout(dropout, **settings))
        super().__init__(*layers)


class Permute(nn.Module):
    """The dimensions in another order."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        """A view."""
        return torch.permute(x, tuple(self.dims))


__getattr__ = refuse("torchvision.ops")
