"""Activations, dropout, distances, and layers that rearrange or resize their input."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init as initialisation
from tinygrad_mnist.nn.parameter import Parameter

from .attention import MultiheadAttention as MultiheadAttention
from .functional_layer import Layer
from .module import Module

# Activations


class _InPlace(Layer):
    """An activation that may write its result into its input."""

    inplace: bool

    def extra_repr(self) -> str:
        """The settings that are shown, and `inplace` where it is set."""
        parts = super().extra_repr(), "inplace=True" if self.inplace else ""
        return ", ".join(filter(None, parts))


class ReLU(_InPlace, of=F.relu):
    """max(x, 0)"""


class SiLU(_InPlace, of=F.silu):
    """x · sigmoid(x)"""


class Mish(_InPlace, of=F.mish):
    """x · tanh(ln(1 + eˣ))"""


class SELU(_InPlace, of=F.selu):
    """1.0507… · elu(x, 1.6733…), the elu that keeps mean 0 and variance 1."""


class Hardswish(_InPlace, of=F.hardswish):
    """x · hardsigmoid(x)"""

    extra_repr = Module.extra_repr  # Not even `inplace`, as in PyTorch.


class Hardsigmoid(_InPlace, of=F.hardsigmoid):
    """min(max(x + 3, 0), 6) / 6"""

    extra_repr = Module.extra_repr


class Hardtanh(
    _InPlace,
    of=F.hardtanh,
    settings="min_val, max_val, inplace",
    shows="min_val={min_val}, max_val={max_val}",
):
    """x held between `min_val` and `max_val`."""

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
        min_value: float | None = None, max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        for old, value in (("min_value", min_value), ("max_value", max_value)):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and renamed to `{old[:-2]}`",
                    FutureWarning,
                    stacklevel=2,
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError(
                f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )


class ReLU6(Hardtanh, shows=""):
    """min(max(x, 0), 6)"""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class Threshold(_InPlace, of=F.threshold, shows="threshold={threshold}, value={value}"):
    """x where it is above `threshold`, `value` elsewhere."""


class ELU(_InPlace, of=F.elu, shows="alpha={alpha}"):
    """x for x > 0, alpha · (eˣ − 1) below."""


class CELU(_InPlace, of=F.celu, shows="alpha={alpha}"):
    """x for x > 0, alpha · (e^(x / alpha) − 1) below."""


class LeakyReLU(_InPlace, of=F.leaky_relu, shows="negative_slope={negative_slope}"):
    """x for x > 0, negative_slope · x below."""


class RReLU(_InPlace, of=F.rrelu, shows="lower={lower}, upper={upper}"):
    """x for x > 0, r · x below, r random in training and the mean of its bounds otherwise."""


class PReLU(Layer, of=F.prelu, shows="num_parameters={num_parameters}"):
    """x for x > 0, weight · x below, the weight learned: one, or one for each channel.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).
    """

    weight: Parameter

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Device = None,
        dtype: DType = None,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self._new_parameters(device, dtype, weight=(num_parameters,))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to where they start."""
        initialisation.constant_(self.weight, self.init)


class Sigmoid(Layer):
    """1 / (1 + e⁻ˣ)"""

    def forward(self, input: Tensor) -> Tensor:
        """`torch.sigmoid`"""
        return input.sigmoid()


class Tanh(Layer):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""

    def forward(self, input: Tensor) -> Tensor:
        """`torch.tanh`"""
        return input.tanh()


class LogSigmoid(Layer, of=F.logsigmoid):
    """ln sigmoid(x)"""


class Softplus(Layer, of=F.softplus, shows="beta={beta}, threshold={threshold}"):
    """ln(1 + e^(beta · x)) / beta, and x where beta · x > threshold."""


class Softsign(Layer, of=F.softsign):
    """x / (1 + |x|)"""


class Tanhshrink(Layer, of=F.tanhshrink):
    """x − tanh(x)"""


class GLU(Layer, of=F.glu, shows="dim={dim}"):
    """a · sigmoid(b), a and b the halves of the input along `dim`."""


class GELU(Layer, of=F.gelu, shows="approximate={approximate!r}"):
    """x · Φ(x), Φ the normal distribution's cumulative function, or its "tanh" approximation.

    >>> torch.nn.GELU()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8413])
    """


class Hardshrink(Layer, of=F.hardshrink, shows="{lambd}"):
    """x where |x| > lambd, 0 elsewhere."""


class Softshrink(Layer, of=F.softshrink, shows="{lambd}"):
    """x brought nearer to 0 by lambd, and no further."""


class _AlongDim(Layer, settings="dim", values={"_stacklevel": 5}, shows="dim={dim}"):
    """An activation along one dimension; None picks it as PyTorch once did, with a warning."""


class Softmax(_AlongDim, of=F.softmax):
    """eˣ / Σ eˣ along `dim`.

    >>> torch.nn.Softmax(dim=1)(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """


class Softmin(_AlongDim, of=F.softmin):
    """e⁻ˣ / Σ e⁻ˣ along `dim`."""


class LogSoftmax(_AlongDim, of=F.log_softmax):
    """x − ln Σ eˣ along `dim`."""


class Softmax2d(Layer):
    """`softmax` over the channels of (n, channels, height, width), with or without n."""

    def forward(self, input: Tensor) -> Tensor:
        """eˣ / Σ eˣ over the channels; ValueError for other dimensions."""
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, _stacklevel=5)


# Dropout: numbers left out in training, nothing done in evaluation


class _DropoutNd(
    Layer, settings="p, inplace", shows="p={p}, inplace={inplace}", init_in="_DropoutNd"
):
    def _set_up(self, **settings: Any) -> None:
        p = settings["p"]
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        super()._set_up(**settings)


class Dropout(_DropoutNd, of=F.dropout):
    """Each number 0 with probability `p`, else divided by 1 − p.

    >>> layer = torch.nn.Dropout(p=0.2).eval()
    >>> layer(torch.ones(3))
    tensor([1., 1., 1.])
    """


class Dropout1d(_DropoutNd, of=F.dropout1d):
    """Whole channels of (n, channels, length) dropped with probability `p`."""


class Dropout2d(_DropoutNd, of=F.dropout2d):
    """Whole channels of (n, channels, height, width) dropped with probability `p`."""


class Dropout3d(_DropoutNd, of=F.dropout3d):
    """Whole channels of (n, channels, depth, height, width) dropped with probability `p`."""


class AlphaDropout(_DropoutNd, of=F.alpha_dropout):
    """Dropout for selu: what is dropped goes to selu's floor, and mean and variance stay."""

    def forward(self, input: Tensor) -> Tensor:
        """`torch.nn.functional.alpha_dropout`, never in place, as in PyTorch."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd, of=F.feature_alpha_dropout):
    """AlphaDropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """`torch.nn.functional.feature_alpha_dropout`, never in place, as in PyTorch."""
        return F.feature_alpha_dropout(input, self.p, self.training)


# Distances between vectors


class CosineSimilarity(Layer, of=F.cosine_similarity, inputs=2):
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along `dim`."""


class PairwiseDistance(Layer, of=F.pairwise_distance, inputs=2):
    """‖x₁ − x₂ + eps‖ₚ along the last dimension."""

    def _set_up(self, **settings: Any) -> None:
        super()._set_up(norm=settings.pop("p"), **settings)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """`torch.nn.functional.pairwise_distance`"""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


# Shapes


class Flatten(Layer, shows="start_dim={start_dim}, end_dim={end_dim}"):
    """The dimensions `start_dim` to `end_dim` made one.

    >>> torch.nn.Flatten()(torch.ones(5, 1, 28, 28)).shape
    torch.Size([5, 784])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The input in its new shape."""
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Layer, shows="dim={dim}, unflattened_size={unflattened_size}"):
    """The dimension `dim` made several, of the sizes `unflattened_size`.

    >>> torch.nn.Unflatten(1, (1, 28, 28))(torch.ones(5, 784)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {position}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The input in its new shape."""
        return input.unflatten(self.dim, self.unflattened_size)


# Images, rearranged and resized


class PixelShuffle(Layer, of=F.pixel_shuffle, shows="upscale_factor={upscale_factor}"):
    """(n, c · r², h, w) as (n, c, h · r, w · r).

    >>> torch.nn.PixelShuffle(2)(torch.ones(1, 4, 3, 3)).shape
    torch.Size([1, 1, 6, 6])
    """


class PixelUnshuffle(Layer, of=F.pixel_unshuffle, shows="downscale_factor={downscale_factor}"):
    """(n, c, h · r, w · r) as (n, c · r², h, w)."""


class ChannelShuffle(Layer, of=F.channel_shuffle, shows="groups={groups}"):
    """The channels dealt out anew, one from each group in turn."""


_WINDOWS = "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}"


class Unfold(Layer, of=F.unfold, shows=_WINDOWS):
    """The numbers under each window of (n, channels, height, width) as a column."""


class Fold(Layer, of=F.fold, shows="output_size={output_size}, " + _WINDOWS):
    """The columns of Unfold put back where they came from, numbers that meet added up."""


class Upsample(
    Layer,
    of=F.interpolate,
    settings="size, scale_factor, mode, align_corners, recompute_scale_factor",
):
    """`interpolate` to a size or by a factor."""

    def _set_up(self, **settings: Any) -> None:
        given = settings.pop("scale_factor")
        if isinstance(given, tuple):
            factor: Any = tuple(float(each) for each in given)
        else:
            factor = float(given) if given else None
        super()._set_up(name=type(self).__name__, scale_factor=factor, **settings)

    def extra_repr(self) -> str:
        """The factor or the size, and the mode."""
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with mode "nearest"."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode "bilinear", the corners aligned."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
