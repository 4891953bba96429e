"""Dropout: numbers, or whole channels, left out at random during training."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["dropout", "dropout1d", "dropout2d"]

Tensor = Any


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, noise: Tensor, p: float, inplace: bool) -> Tensor:
    """The input times `noise`: 0 with probability p, else 1 / (1 − p)."""
    noise.bernoulli_(1 - p)
    if p < 1:
        noise.div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


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
    return _drop(input, input.new_zeros(input.shape), p, inplace)


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    _check_probability(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    shape = (*input.shape[:2], *[1] * (input.dim() - 2))
    return _drop(input, input.new_zeros(shape), p, inplace)


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
