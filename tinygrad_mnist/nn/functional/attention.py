"""Attention: the mean of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_mnist.engine.record import OBSERVERS, label, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.casting import made
from tinygrad_mnist.ops.choosing import where
from tinygrad_mnist.ops.softmax import softmax

from .dropping import dropout

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query keyᵀ · scale + mask) value.

    `query` is (…, L, E), `key` (…, S, E), `value` (…, S, V), the result (…, L, V).

    `scale` is 1/√E unless given. A bool `attn_mask` says what may be looked at, another one is
    added; `is_causal` lets place i look at places up to i. `enable_gqa` repeats heads of key and
    value (dimension −3). A query that may look at nothing gives zeros.

    Vaswani et al., "Attention is all you need" (2017).
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        )
    if is_causal:
        allowed = np.tri(query.size(-2), key.size(-2), dtype=bool)
        attn_mask = wrap(made(allowed))
    if enable_gqa:
        key, value = (x.repeat_interleave(query.size(-3) // x.size(-3), -3) for x in (key, value))
    factor = math.sqrt(1 / math.sqrt(query.size(-1)) if scale is None else scale)
    scores = (query * factor) @ (key * factor).transpose(-2, -1)
    if attn_mask is not None and attn_mask._array.dtype == bool:
        scores = where(attn_mask, scores, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = softmax(scores, -1)
    blind = (scores == -math.inf).all(-1, keepdim=True)
    if OBSERVERS or bool(blind.any()):
        weights = where(blind, 0.0, weights)
    out = dropout(weights, dropout_p, training=dropout_p > 0) @ value
    if query.dim() == 4 and not dropout_p:
        return label(out, "ScaledDotProductFlashAttentionForCpuBackward0")
    return out
