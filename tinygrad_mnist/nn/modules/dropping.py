"""Dropout layers: they leave numbers out in training, and do nothing in evaluation."""

from __future__ import annotations

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F

from .module import Module


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
