"""Instance normalisation layers: each channel of each sample brought to mean 0 and variance 1."""

from __future__ import annotations

import warnings
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F

from .batchnorm import _BatchNorm


class _InstanceNorm(_BatchNorm):
    """`instance_norm`; parameters and running statistics only if asked for."""

    _without_batch: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check_input_dim(self, input: Tensor) -> None:
        count = self._without_batch
        if input.dim() not in (count, count + 1):
            raise ValueError(f"expected {count}D or {count + 1}D input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """`instance_norm`"""
        self._check_input_dim(input)
        dim = input.dim() - self._without_batch
        if input.size(dim) != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={dim} to match num_features "
                    f"({self.num_features}), but got: {input.size(dim)}."
                )
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        x = input if dim else input.unsqueeze(0)
        out = F.instance_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return out if dim else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (n, channels, length), with or without n."""

    _without_batch = 2


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (n, channels, height, width), with or without n."""

    _without_batch = 3


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (n, channels, depth, height, width), with or without n."""

    _without_batch = 4
