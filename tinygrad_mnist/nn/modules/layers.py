"""Activation layers: the functions of `nn.functional.activations` as modules."""

from __future__ import annotations

import warnings
from typing import Any

from tinygrad_mnist._tensor import empty
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init as initialisation
from tinygrad_mnist.nn.parameter import Parameter

from .module import Module


class _InPlace(Module):
    """An activation without settings, which may write its result into its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Whether the result is written into the input."""
        return "inplace=True" if self.inplace else ""

    def _with_inplace(self, settings: str) -> str:
        return f"{settings}, inplace=True" if self.inplace else settings


class ReLU(_InPlace):
    """max(x, 0)"""

    def forward(self, input: Tensor) -> Tensor:
        """max(x, 0)"""
        return F.relu(input, self.inplace)


class SiLU(_InPlace):
    """x · sigmoid(x)"""

    def forward(self, input: Tensor) -> Tensor:
        """x · sigmoid(x)"""
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """x · tanh(ln(1 + eˣ))"""

    def forward(self, input: Tensor) -> Tensor:
        """x · tanh(ln(1 + eˣ))"""
        return F.mish(input, self.inplace)


class SELU(_InPlace):
    """The elu that keeps mean 0 and variance 1."""

    def forward(self, input: Tensor) -> Tensor:
        """1.0507… · elu(x, 1.6733…)"""
        return F.selu(input, self.inplace)


class Hardswish(_InPlace):
    """x · hardsigmoid(x)"""

    def forward(self, input: Tensor) -> Tensor:
        """x · hardsigmoid(x)"""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class Hardsigmoid(_InPlace):
    """min(max(x + 3, 0), 6) / 6"""

    def forward(self, input: Tensor) -> Tensor:
        """min(max(x + 3, 0), 6) / 6"""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class Hardtanh(_InPlace):
    """x held between `min_val` and `max_val`."""

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__(inplace)
        for old, new, value in (
            ("min_value", "min_val", min_value),
            ("max_value", "max_val", max_value),
        ):
            if value is not None:
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and renamed to `{new}`",
                    FutureWarning,
                    stacklevel=2,
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        if self.max_val <= self.min_val:
            raise AssertionError(
                f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )

    def forward(self, input: Tensor) -> Tensor:
        """min(max(x, min_val), max_val)"""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """The bounds."""
        return self._with_inplace(f"min_val={self.min_val}, max_val={self.max_val}")


class ReLU6(Hardtanh):
    """min(max(x, 0), 6)"""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """Whether the result is written into the input."""
        return "inplace=True" if self.inplace else ""


class Threshold(_InPlace):
    """x where it is above `threshold`, `value` elsewhere."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """x above the threshold, the value elsewhere."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """The threshold and the value."""
        return self._with_inplace(f"threshold={self.threshold}, value={self.value}")


class ELU(_InPlace):
    """x for x > 0, alpha · (eˣ − 1) below."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """x for x > 0, alpha · (eˣ − 1) below."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """The depth of the lower branch."""
        return self._with_inplace(f"alpha={self.alpha}")


class CELU(ELU):
    """x for x > 0, alpha · (e^(x / alpha) − 1) below."""

    def forward(self, input: Tensor) -> Tensor:
        """x for x > 0, alpha · (e^(x / alpha) − 1) below."""
        return F.celu(input, self.alpha, self.inplace)


class LeakyReLU(_InPlace):
    """x for x > 0, negative_slope · x below."""

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """x for x > 0, negative_slope · x below."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """The slope below zero."""
        return self._with_inplace(f"negative_slope={self.negative_slope}")


class PReLU(Module):
    """x for x > 0, weight · x below, the weight learned: one, or one for each channel.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to where they start."""
        initialisation.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """x for x > 0, weight · x below."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """How many slopes there are."""
        return f"num_parameters={self.num_parameters}"


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)"""

    def forward(self, input: Tensor) -> Tensor:
        """1 / (1 + e⁻ˣ)"""
        return input.sigmoid()


class Tanh(Module):
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""

    def forward(self, input: Tensor) -> Tensor:
        """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)"""
        return input.tanh()


class LogSigmoid(Module):
    """ln sigmoid(x)"""

    def forward(self, input: Tensor) -> Tensor:
        """ln sigmoid(x)"""
        return F.logsigmoid(input)


class Softplus(Module):
    """ln(1 + e^(beta · x)) / beta, and x where beta · x > threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """ln(1 + e^(beta · x)) / beta"""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The settings."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|)"""

    def forward(self, input: Tensor) -> Tensor:
        """x / (1 + |x|)"""
        return F.softsign(input)


class Tanhshrink(Module):
    """x − tanh(x)"""

    def forward(self, input: Tensor) -> Tensor:
        """x − tanh(x)"""
        return F.tanhshrink(input)


class GLU(Module):
    """a · sigmoid(b), a and b the halves of the input along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """a · sigmoid(b)"""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The dimension that is halved."""
        return f"dim={self.dim}"


class _AlongDim(Module):
    """An activation along one dimension; None picks it as PyTorch once did, with a warning."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """eˣ / Σ eˣ along `dim`.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.Softmax(dim=1)(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """eˣ / Σ eˣ"""
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """e⁻ˣ / Σ e⁻ˣ along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """e⁻ˣ / Σ e⁻ˣ"""
        return F.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """x − ln Σ eˣ along `dim`."""

    def forward(self, input: Tensor) -> Tensor:
        """x − ln Σ eˣ"""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """`softmax` over the channels of (n, channels, height, width), with or without n."""

    def forward(self, input: Tensor) -> Tensor:
        """eˣ / Σ eˣ over the channels; ValueError for other dimensions."""
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, _stacklevel=5)


class GELU(Module):
    """x · Φ(x), Φ the normal distribution's cumulative function, or its "tanh" approximation.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.GELU()(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """x · Φ(x)"""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The approximation."""
        return f"approximate={self.approximate!r}"


class _Shrink(Module):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        """How wide the gap around 0 is, to one side."""
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """x where |x| > lambd, 0 elsewhere."""

    def forward(self, input: Tensor) -> Tensor:
        """x where |x| > lambd, 0 elsewhere."""
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """x brought nearer to 0 by lambd, and no further."""

    def forward(self, input: Tensor) -> Tensor:
        """x brought nearer to 0 by lambd, and no further."""
        return F.softshrink(input, self.lambd)


class RReLU(_InPlace):
    """x for x > 0, r · x below, r random in training and the mean of its bounds otherwise."""

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__(inplace)
        self.lower = lower
        self.upper = upper

    def forward(self, input: Tensor) -> Tensor:
        """x for x > 0, r · x below."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The bounds."""
        return self._with_inplace(f"lower={self.lower}, upper={self.upper}")


# dropping: Dropout layers


class _DropoutNd(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Each number 0 with probability `p`, else divided by 1 − p.

    >>> import tinygrad_mnist as torch
    >>> layer = torch.nn.Dropout(p=0.2).eval()
    >>> layer(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with numbers left out."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Whole channels of (n, channels, length) dropped with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels left out."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Whole channels of (n, channels, height, width) dropped with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels left out."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Whole channels of (n, channels, depth, height, width) dropped with probability `p`."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels left out."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout for selu: what is dropped goes to selu's floor, and mean and variance stay."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with numbers left out."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels left out."""
        return F.feature_alpha_dropout(input, self.p, self.training)


# distance: Distances between vectors


class CosineSimilarity(Module):
    """x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along `dim`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """`cosine_similarity`"""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ − x₂ + eps‖ₚ along the last dimension."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """`pairwise_distance`"""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


# shaping: Layers that change the shape alone


class Flatten(Module):
    """The dimensions `start_dim` to `end_dim` made one.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.Flatten()(torch.ones(5, 1, 28, 28)).shape
    torch.Size([5, 784])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """The input in its new shape."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dimensions that are joined."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The dimension `dim` made several, of the sizes `unflattened_size`.

    >>> import tinygrad_mnist as torch
    >>> torch.nn.Unflatten(1, (1, 28, 28))(torch.ones(5, 784)).shape
    torch.Size([5, 1, 28, 28])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
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

    def forward(self, input: Any) -> Any:
        """The input in its new shape."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The dimension and what it becomes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


# images: Rearranging and resizing images


class PixelShuffle(Module):
    """(n, c · r², h, w) as (n, c, h · r, w · r).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.PixelShuffle(2)(torch.ones(1, 4, 3, 3)).shape
    torch.Size([1, 1, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """`pixel_shuffle`"""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(n, c, h · r, w · r) as (n, c · r², h, w)."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """`pixel_unshuffle`"""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels dealt out anew, one from each group in turn."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """`channel_shuffle`"""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The number of groups."""
        return f"groups={self.groups}"


class Unfold(Module):
    """The numbers under each window of (n, channels, height, width) as a column."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """`unfold`"""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """The columns of Unfold put back where they came from, numbers that meet added up."""

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """`fold`"""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """The settings."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


class Upsample(Module):
    """`interpolate` to a size or by a factor."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """`interpolate`"""
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """The factor or the size, and the mode."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with mode "nearest"."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode "bilinear", the corners aligned."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
