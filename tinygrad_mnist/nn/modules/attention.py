"""MultiheadAttention: several heads that look at different parts of sequences."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist._tensor.creation import empty
from tinygrad_mnist.engine.modes import is_grad_enabled
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.parameter import Parameter

from .linear import NonDynamicallyQuantizableLinear
from .module import Module


class MultiheadAttention(Module):
    """`num_heads` attentions side by side, each of its part of projected queries, keys, values.

    Inputs are (length, batch, size), (batch, length, size) if `batch_first`, or (length, size);
    `embed_dim` is the size of queries, `kdim` and `vdim` those of keys and values. The result is
    a pair: the attention's outputs, of the queries' shape, and the weights of keys or None.
    Raises ValueError or AssertionError for sizes that do not fit together.

    Vaswani et al., "Attention is all you need" (2017).

    >>> layer = torch.nn.MultiheadAttention(4, 2)
    >>> x = torch.ones(3, 1, 4)
    >>> [each.shape for each in layer(x, x, x)]
    [torch.Size([3, 1, 4]), torch.Size([1, 3, 3])]
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Device = None,
        dtype: DType = None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def keep(name: str, *shape: int, there: bool = True) -> None:
            made = Parameter(empty(*shape, device=device, dtype=dtype)) if there else None
            self.register_parameter(name, made)

        apart = not self._qkv_same_embed_dim
        for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            keep(f"{name}_proj_weight", embed_dim, size, there=apart)
        keep("in_proj_weight", 3 * embed_dim, embed_dim, there=not apart)
        keep("in_proj_bias", 3 * embed_dim, there=bias)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        if add_bias_kv:
            keep("bias_k", 1, 1, embed_dim)
            keep("bias_v", 1, 1, embed_dim)
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw the parameters anew, as Glorot and Bengio do; biases are 0."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = self._parameters[name]
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The outputs, and the weights of keys if `need_weights`: their mean over heads, or each.

        A mask says which keys not to look at (bool) or is added to scores: `key_padding_mask`
        (batch, S), `attn_mask` (L, S) or (batch · heads, L, S). `is_causal` is a hint that
        `attn_mask` keeps from what comes later.
        """
        inference = self._infers(query, key, value)
        turned = self.batch_first and query.dim() == 3
        if turned and query is key is value:
            query = key = value = query.transpose(1, 0)
        elif turned:
            query, key, value = (x.transpose(1, 0) for x in (query, key, value))
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights or inference,
            attn_mask=attn_mask, use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal and not inference,
        )  # fmt: skip
        return out.transpose(1, 0) if turned else out, weights if need_weights else None

    def _infers(self, *inputs: Any) -> bool:
        """Whether PyTorch computes by its path for inference.

        There a query that may look at nothing gives NaN, and `is_causal` counts for nothing.
        """
        query, key, value = inputs
        members = query, *self.parameters()
        return (
            query is key is value
            and query.dim() == 3
            and self.batch_first
            and not self.training
            and self.num_heads % 2 == 0
            and self._qkv_same_embed_dim
            and self.in_proj_bias is not None
            and self.bias_k is None
            and not self.add_zero_attn
            and not (is_grad_enabled() and any(each.requires_grad for each in members))
        )
