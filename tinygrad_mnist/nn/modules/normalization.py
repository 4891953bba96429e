"""Normalisation: numbers brought to mean 0 and variance 1, by channel, by sample, or by group."""

from __future__ import annotations

import warnings
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor.creation import ones, tensor, zeros
from tinygrad_mnist._tensor.python_data import counted
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, Dims, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.parameter import Parameter

from .functional_layer import Layer


class _Norm(Layer):
    """What is normalised is multiplied by `weight`, then `bias` is added, where there are any."""

    weight: Parameter | None
    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Set the weights to 1 and the biases to 0."""
        weight, bias = self._parameters.get("weight"), self._parameters.get("bias")
        if weight is not None:
            init.ones_(weight)
        if bias is not None:
            init.zeros_(bias)


class _BatchNorm(
    _Norm,
    shows="{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
    "track_running_stats={track_running_stats}",
):
    """`batch_norm` with learned `weight` and `bias`, and running statistics as buffers.

    In training the batch's own statistics serve, and the running ones follow by `momentum` (None:
    they are the mean of all batches so far); in evaluation the running ones serve. Without
    `track_running_stats` the batch's always do.
    """

    _version = 2
    _ndims: tuple[int, ...] = ()
    """The numbers of dimensions that an input may have."""
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Device = None,
        dtype: DType = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        size = (num_features,) if affine else None
        self._new_parameters(device, dtype, weight=size, bias=size if bias else None)
        mean = var = batches = None
        if track_running_stats:
            mean = zeros(num_features, device=device, dtype=dtype)
            var = ones(num_features, device=device, dtype=dtype)
            batches = tensor(0, dtype=dtypes.int64)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", var)
        self.register_buffer("num_batches_tracked", batches)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches so far."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set everything to where it starts."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._ndims:
            expected = " or ".join(f"{ndim}D" for ndim in self._ndims)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """`batch_norm`"""
        self._check_input_dim(input)
        step = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                step = 1.0 / counted(self.num_batches_tracked)
        tracked = not self.training or self.track_running_stats
        mean, var = (self.running_mean, self.running_var) if tracked else (None, None)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        return F.batch_norm(input, mean, var, self.weight, self.bias, by_batch, step, self.eps)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        """Take a state from before batches were counted, too: the count then stays."""
        if (local_metadata.get("version") or 1) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class BatchNorm1d(_BatchNorm, ndims=(2, 3)):
    """Batch normalisation of (n, channels) or (n, channels, length).

    >>> torch.nn.BatchNorm1d(1, affine=False)(torch.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]])
    """


class BatchNorm2d(_BatchNorm, ndims=(4,)):
    """Batch normalisation of (n, channels, height, width)."""


class BatchNorm3d(_BatchNorm, ndims=(5,)):
    """Batch normalisation of (n, channels, depth, height, width)."""


class _InstanceNorm(_BatchNorm):
    """`instance_norm`; parameters and running statistics only if asked for."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Device = None, dtype: DType = None, *,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """`instance_norm`"""
        self._check_input_dim(input)
        dim = self._ndims.index(input.dim())
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
        out = F.instance_norm(
            input if dim else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return out if dim else out.squeeze(0)


class InstanceNorm1d(_InstanceNorm, ndims=(2, 3)):
    """Instance normalisation of (n, channels, length), with or without n."""


class InstanceNorm2d(_InstanceNorm, ndims=(3, 4)):
    """Instance normalisation of (n, channels, height, width), with or without n."""


class InstanceNorm3d(_InstanceNorm, ndims=(4, 5)):
    """Instance normalisation of (n, channels, depth, height, width), with or without n."""


class LayerNorm(
    _Norm,
    of=F.layer_norm,
    shows="{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}",
):
    """`layer_norm` over the last dimensions, of the sizes `normalized_shape`.

    `weight`, from 1, and `bias`, from 0, of that shape, are learned if `elementwise_affine`.

    >>> torch.nn.LayerNorm(2)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=<NativeLayerNormBackward0>)
    """

    def __init__(
        self, normalized_shape: Dims, eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape if elementwise_affine else None
        self._new_parameters(device, dtype, weight=shape, bias=shape if bias else None)
        self.reset_parameters()


class RMSNorm(
    _Norm,
    of=F.rms_norm,
    inputs=["x"],
    shows="{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}",
):
    """`rms_norm` over the last dimensions, of the sizes `normalized_shape`.

    `weight`, from 1, of that shape, is learned if `elementwise_affine`.
    """

    def __init__(
        self, normalized_shape: Dims, eps: float | None = None, elementwise_affine: bool = True,
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.normalized_shape = tuple(sizes)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape if elementwise_affine else None
        self._new_parameters(device, dtype, weight=shape)
        self.reset_parameters()


class GroupNorm(
    _Norm,
    of=F.group_norm,
    shows="{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}",
):
    """`group_norm` of (n, num_channels, …), the channels in `num_groups` groups.

    `weight`, from 1, and `bias`, from 0, hold one number for each channel, if `affine`. Raises
    ValueError for channels that cannot be divided.

    >>> torch.nn.GroupNorm(1, 2, affine=False)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: Device = None, dtype: DType = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_groups <= 0:
            raise ValueError(f"num_groups must be a positive integer, but got {num_groups}")
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        size = (num_channels,) if affine else None
        self._new_parameters(device, dtype, weight=size, bias=size if bias else None)
        self.reset_parameters()


class LocalResponseNorm(
    Layer, of=F.local_response_norm, shows="{size}, alpha={alpha}, beta={beta}, k={k}"
):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta."""
