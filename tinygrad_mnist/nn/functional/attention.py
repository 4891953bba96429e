"""Attention: means of values, weighted by how well their keys answer a query.

Vaswani et al., "Attention is all you need" (2017).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from tinygrad_mnist._tensor.creation import zeros_like
from tinygrad_mnist.dtypes import dtype as DType
from tinygrad_mnist.engine.autocast import in_lower_precision
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import OBSERVERS, note_constant
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops.arguments import check_tensors
from tinygrad_mnist.ops.arranging import pad
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.joining import cat
from tinygrad_mnist.ops.softmax import softmax

from .activations import dropout
from .linear_maps import linear


@in_lower_precision
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query keyᵀ · scale + mask) value.

    `query` is (…, L, E), `key` (…, S, E), `value` (…, S, V), the result (…, L, V).

    `scale` is 1/√E unless given. A bool `attn_mask` says what may be looked at, another one is
    added; `is_causal` lets position i attend to those up to i. `enable_gqa` repeats heads of key
    and value (dimension −3). A query that may look at nothing gives zeros.

    >>> x = torch.eye(2)
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True, scale=1.0)
    tensor([[1.0000, 0.0000],
            [0.2689, 0.7311]])
    """
    check_tensors("scaled_dot_product_attention", query=query, key=key, value=value)
    _check_attention(query, key, value, attn_mask, dropout_p, is_causal)
    if enable_gqa:
        key, value = (_repeated(x, query) for x in (key, value))
    size = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    factor = math.sqrt(abs(size))
    scores = (query * math.copysign(factor, size)) @ (key * factor).transpose(-2, -1)
    if is_causal:
        allowed = np.tri(query.size(-2), key.size(-2), dtype=bool)
        scores = where(wrap(note_constant(allowed)), scores, -math.inf)
    if attn_mask is not None and attn_mask._array.dtype == bool:
        scores = where(attn_mask, scores, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask.to(scores.dtype)
    weights = softmax(scores, -1) if attn_mask is None else _softmax_of_masked(scores)
    out = dropout(weights, dropout_p, training=dropout_p > 0) @ value
    if query.dim() == 4 and not dropout_p:
        return named_as(out, "ScaledDotProductFlashAttentionForCpuBackward0")
    return out


def _softmax_of_masked(scores: Tensor) -> Tensor:
    """softmax, and zeros for a query that may look at nothing."""
    blind = (scores == -math.inf).all(-1, keepdim=True)
    if OBSERVERS or bool(blind.any()):
        return where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))
    return softmax(scores, -1)


def _repeated(heads: Tensor, query: Tensor) -> Tensor:
    """Each head as often as there are queries for it."""
    times, left = divmod(query.size(-3), heads.size(-3))
    if left:
        raise RuntimeError("Number of heads in key and value must divide the number of heads in ")
    return heads.repeat_interleave(times, -3)


def _check_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, p: float, causal: bool
) -> None:
    """PyTorch's errors for tensors and settings that do not fit together."""
    kinds = query.dtype, key.dtype, value.dtype
    if len(set(kinds)) > 1:
        q, k, v = (kind.cpp_name for kind in kinds)
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q} key.dtype: {k} and value.dtype: {v} instead."
        )
    if min(query.dim(), key.dim(), value.dim()) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.dim()} key.dim: {key.dim()} and value.dim: {value.dim()} instead."
        )
    if not query.is_floating_point():
        raise RuntimeError(f"expected scalar type Float but found {query.dtype.legacy_name}")
    allowed = (np.dtype(bool), np.dtype(np.float32), query._array.dtype)
    if mask is not None and mask._array.dtype not in allowed:
        given = "long int" if mask._array.dtype == np.int64 else mask.dtype.cpp_name
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {given} and  query.dtype: {kinds[0].cpp_name} instead."
        )
    if causal and mask is not None and (query.dim() != 4 or p):
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")


# Several heads


def _none_or_dtype(input: Tensor | None) -> DType | None:
    return None if input is None else input.dtype


def _canonical_mask(
    mask: Tensor | None, mask_name: str, other_type: DType | None, other_name: str,
    target_type: DType, check_other: bool = True,
) -> Tensor | None:  # fmt: skip
    """The mask as numbers to add: −∞ where a bool one is True."""
    if mask is None:
        return None
    if not mask.is_floating_point() and mask._array.dtype != bool:
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for "
            "both instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    return zeros_like(mask, dtype=target_type).masked_fill(mask, -math.inf)


def _check_shapes(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None,
    heads: int,
) -> None:  # fmt: skip
    """AssertionError, as PyTorch words it, for dimensions that do not fit together."""
    ndim = query.dim()
    if ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor"
        )
    told = f"For {'un' * (ndim == 2)}batched ({ndim}-D) `query`, expected"
    if key.dim() != ndim or value.dim() != ndim:
        raise AssertionError(
            f"{told} `key` and `value` to be {ndim}-D but found {key.dim()}-D and {value.dim()}-D "
            "tensors respectively"
        )
    if padding is not None and padding.dim() != ndim - 1:
        raise AssertionError(
            f"{told} `key_padding_mask` to be `None` or {ndim - 1}-D but found {padding.dim()}-D "
            "tensor instead"
        )
    if mask is not None and mask.dim() not in (2, 3):
        raise AssertionError(
            f"{told} `attn_mask` to be `None`, 2-D or 3-D but found {mask.dim()}-D tensor instead"
        )
    expected = heads, query.size(0), key.size(0)
    if mask is not None and mask.dim() == 3 and ndim == 2 and mask.shape != expected:
        raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {mask.shape}")


def _check_sizes(inputs: list[Tensor], embed_dim: int, heads: int, separate: bool) -> None:
    """AssertionError, as PyTorch words it, for sizes that do not fit together."""
    query, key, value = inputs
    size = query.size(-1)
    if size != embed_dim:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim}, but got {size}")
    if size % heads:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        )
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _as_3d(mask: Tensor | None, batch: int, heads: int, length: int, count: int) -> Tensor | None:
    """A mask of (1 or batch · heads, length, count); RuntimeError for one of another shape."""
    if mask is None:
        return None
    expected = (length, count) if mask.dim() == 2 else (batch * heads, length, count)
    if mask.shape != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _projected(
    inputs: list[Tensor], weights: Sequence[Tensor | None], bias: Tensor | None, separate: bool
) -> list[Tensor]:
    """Query, key and value times their weights, which are three or the parts of one."""
    packed = None if separate else weights[0]
    bias = None if bias is None else bias.to(inputs[0].dtype)
    if packed is not None:
        if inputs[0] is inputs[1] is inputs[2]:
            return list(linear(inputs[0], packed, bias).chunk(3, -1))
        weights = packed.chunk(3)
    biases = [None] * 3 if bias is None else bias.chunk(3)
    size, out = inputs[0].size(-1), []
    for name, x, w, b in zip(("query", "key", "value"), inputs, weights, biases, strict=True):
        if w is None:
            told = f"{name[0]}_proj_weight" if separate else "in_proj_weight"
            raise AssertionError(f"use_separate_proj_weight is {separate} but {told} is None")
        if separate and w.shape != (size, x.size(-1)):
            raise AssertionError(
                f"expecting {name} weights shape of {(size, x.size(-1))}, but got {w.shape}"
            )
        out.append(linear(x, w, b))
    return out


def _with_bias(
    rows: Tensor, bias: Tensor | None, other: Tensor | None, static: Tensor | None, name: str
) -> Tensor:
    """Keys or values with the learned one behind them."""
    if bias is None:
        if other is not None:
            raise AssertionError(f"bias_{'kv'[name == 'k']} is set but bias_{name} is None")
        return rows
    if static is not None:
        raise AssertionError(f"bias cannot be added to static {_WHOLE[name]}.")
    return cat([rows, bias.repeat(1, rows.size(1), 1)])


_WHOLE = {"k": "key", "v": "value"}


def _in_heads(rows: Tensor, heads: int, given: Tensor | None = None, name: str = "") -> Tensor:
    """(length, batch, E) as (batch · heads, length, E / heads), or what was given as that."""
    length, batch, size = rows.shape
    if given is None:
        return rows.reshape(length, batch * heads, size // heads).transpose(0, 1)
    for dim, wanted in ((0, batch * heads), (2, size // heads)):
        if given.size(dim) != wanted:
            raise AssertionError(
                f"expecting static_{name}.size({dim}) of {wanted}, but got {given.size(dim)}"
            )
    return given


def _merged(
    mask: Tensor | None, padding: Tensor | None, sizes: tuple[int, int], heads: int, extra: int
) -> Tensor | None:
    """Both masks as one of (1 or batch · heads, …, S), and `extra` keys that all may look at."""
    if padding is not None:
        for dim, wanted in enumerate(sizes):
            if padding.size(dim) != wanted:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{dim}] to be {wanted}, but got "
                    f"{padding.size(dim)}"
                )
        padding = padding.unsqueeze(1).repeat_interleave(heads, 0)
    merged = padding if mask is None else mask if padding is None else mask + padding
    return pad(merged, (0, extra)) if merged is not None and extra else merged


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
    bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
    out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """What `MultiheadAttention` computes, of its parameters; the result and the weights.

    Raises AssertionError or RuntimeError for sizes that do not fit together.
    """
    _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    batched, together = query.dim() == 3, query is key is value
    inputs = [query, key, value]
    if not batched:
        inputs = [query.unsqueeze(1)] * 3 if together else [x.unsqueeze(1) for x in inputs]
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    mask, padding, is_causal = _read_masks(
        attn_mask, key_padding_mask, is_causal, need_weights, query.dtype
    )
    _check_sizes(inputs, embed_dim_to_check, num_heads, use_separate_proj_weight)
    (length, batch, size), count = inputs[0].shape, inputs[1].size(0)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    if not use_separate_proj_weight:
        weights = (in_proj_weight,) * 3
    q, k, v = _projected(inputs, weights, in_proj_bias, use_separate_proj_weight)
    mask = _as_3d(mask, batch, num_heads, length, count)
    k = _with_bias(k, bias_k, bias_v, static_k, "k")
    v = _with_bias(v, bias_v, bias_k, static_v, "v")
    q = _in_heads(q, num_heads)
    k, v = _in_heads(k, num_heads, static_k, "k"), _in_heads(v, num_heads, static_v, "v")
    extra = (bias_k is not None) + bool(add_zero_attn)
    if add_zero_attn:
        k, v = (cat([x, x.new_zeros(x.size(0), 1, x.size(2))], 1) for x in (k, v))
    mask = _merged(mask, padding, (batch, k.size(1) - extra), num_heads, extra)
    p = dropout_p if training else 0.0
    out, shares = _attend(q, k, v, mask, batch, p, is_causal, need_weights)
    rows = linear(out.reshape(length * batch, size), out_proj_weight, out_proj_bias)
    out = rows.reshape(length, batch, rows.size(1))
    if shares is not None and average_attn_weights:
        shares = shares.mean(1)
    if batched:
        return out, shares
    return out.squeeze(1), None if shares is None else shares.squeeze(0)


def _read_masks(
    mask: Tensor | None, padding: Tensor | None, is_causal: bool, need_weights: bool, kind: DType
) -> tuple[Tensor | None, Tensor | None, bool]:
    """Both masks as numbers to add, and whether "up to here" does instead of the first."""
    other = _none_or_dtype(mask)
    padding = _canonical_mask(padding, "key_padding_mask", other, "attn_mask", kind)
    if is_causal and mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and padding is None and not need_weights:
        return None, None, True
    return _canonical_mask(mask, "attn_mask", None, "", kind, check_other=False), padding, False


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, batch: int, p: float, is_causal: bool,
    need_weights: bool,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Means of values as (length, batch, heads, size), and the weights of each head if needed."""
    q, k, v = (x.reshape(batch, x.size(0) // batch, *x.shape[1:]) for x in (q, k, v))
    if mask is not None:
        lead = (1, 1) if mask.size(0) == 1 else q.shape[:2]
        mask = mask.reshape(*lead, *mask.shape[1:])
    if not need_weights:
        out = scaled_dot_product_attention(q, k, v, mask, p, is_causal)
        return out.permute(2, 0, 1, 3), None
    scores = (q * math.sqrt(1 / q.size(-1))) @ k.transpose(-2, -1)
    shares = dropout(
        softmax(scores if mask is None else scores + mask.to(scores.dtype), -1), p, p > 0
    )
    return (shares @ v).permute(2, 0, 1, 3), shares
