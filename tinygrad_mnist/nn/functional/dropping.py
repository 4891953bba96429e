"""Dropout: numbers, or whole channels, left out at random during training."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tinygrad_mnist._tensor import empty_like
from tinygrad_mnist.engine.tensor import Tensor

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

_SELU_FLOOR = 1.7580993408473766
"""How far below zero selu goes: its scale times its alpha."""


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, shape: Any, p: float, inplace: bool, alpha: bool = False) -> Tensor:
    """The input times noise of `shape`: 0 with probability p, else 1 / (1 − p).

    `alpha` puts what selu goes down to in place of 0, and keeps mean and variance.
    """
    if p == 1:
        return input.mul_(0.0) if inplace else input * 0.0
    in_its_order = alpha and shape == input.shape
    noise = empty_like(input, requires_grad=False) if in_its_order else input.new_empty(shape)
    noise.bernoulli_(1 - p)
    if not alpha:
        noise.div_(1 - p)
        return input.mul_(noise) if inplace else input * noise
    scale = 1 / math.sqrt((_SELU_FLOOR**2 * p + 1) * (1 - p))
    shift = (noise - 1) * (_SELU_FLOOR * scale) + _SELU_FLOOR * scale * p
    noise.mul_(scale)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each number 0 with probability `p`, else divided by 1 − p; the input itself if not training.

    Raises ValueError for a probability outside [0, 1].

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).

    >>> import tinygrad_mnist as torch
    >>> torch.nn.functional.dropout(torch.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    return _drop(input, input.shape, p, inplace)


def _drop_channels(
    input: Tensor, p: float, training: bool, inplace: bool, alpha: bool = False
) -> Tensor:
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return _drop(input, shape, p, inplace, alpha)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, length) or (channels, length).

    Raises RuntimeError for an input of other dimensions.
    """
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.dim() == 2:
        return _drop_channels(input.unsqueeze(0), p, training, inplace).squeeze(0)
    return _drop_channels(input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, height, width); other inputs warn.

    An input of 3 dimensions counts as (n, channels, length).
    """
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels dropped, of (n, channels, depth, height, width) or without n."""
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    if input.dim() == 5:
        return _drop_channels(input, p, training, inplace)
    return _drop_channels(input.unsqueeze(0), p, training, inplace).squeeze(0)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for selu: what is dropped goes to selu's floor, and mean and variance stay.

    Klambauer et al., "Self-normalizing neural networks" (2017).
    """
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    return _drop(input, input.shape, p, inplace, alpha=True)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels."""
    return _drop_channels(input, p, training, inplace, alpha=True)
