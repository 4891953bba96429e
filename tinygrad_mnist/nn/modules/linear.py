"""Affine layers: Linear, and Identity, which changes nothing."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.parameter import Parameter

from .functional_layer import Layer


class Identity(Layer):
    """The input, unchanged; arguments are taken and not looked at."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """The input."""
        return input


class Weighted(Layer):
    """A layer that multiplies by `weight`, and adds `bias` where there is one."""

    weight: Parameter
    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniform between ±1/√(numbers that each result is made of)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)


class Linear(Weighted, shows="in_features={in_features}, out_features={out_features}, bias={bias}"):
    """x Wᵀ + b, from (…, in_features) to (…, out_features).

    `weight` (out_features, in_features) and `bias` (out_features) start uniform between
    ±1/√in_features. Raises RuntimeError for an input of another size.

    >>> layer = torch.nn.Linear(3, 2)
    >>> layer(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Device = None,
        dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        size = (out_features,) if bias else None
        self._new_parameters(device, dtype, weight=(out_features, in_features), bias=size)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b"""
        return F.linear(input, self.weight, self.bias)


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear`: the map of attention's outputs, by its name in PyTorch."""


class Bilinear(
    Weighted,
    of=F.bilinear,
    inputs=2,
    shows="in1_features={in1_features}, in2_features={in2_features}, "
    "out_features={out_features}, bias={bias}",
):
    """x₁ᵀ W x₂ + b, from (…, in1_features) and (…, in2_features) to (…, out_features).

    `weight` (out_features, in1_features, in2_features) and `bias` start uniform between
    ±1/√in1_features.
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True,
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = out_features, in1_features, in2_features
        size = (out_features,) if bias else None
        self._new_parameters(device, dtype, weight=shape, bias=size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew; ValueError without input features."""
        if self.in1_features <= 0:
            raise ValueError(
                f"in1_features must be > 0, but got (in1_features={self.in1_features})"
            )
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)
