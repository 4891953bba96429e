"""Transformers: stacks of layers of attention and of small networks at each position.

Vaswani et al., "Attention is all you need" (2017).
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

from tinygrad_mnist._tensor.creation import full
from tinygrad_mnist.engine.observer import OBSERVERS
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn import init
from tinygrad_mnist.nn.functional.attention import _canonical_mask, _none_or_dtype

from .attention import MultiheadAttention
from .container import ModuleList
from .layers import GELU, Dropout, ReLU
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

Activation = str | Callable[[Tensor], Tensor]


def _causal_mask(size: int, device: Device = None, dtype: DType = None) -> Tensor:
    return full((size, size), -math.inf, dtype=dtype, device=device).triu(diagonal=1)


def _is_causal(mask: Tensor | None, hint: bool | None, size: int) -> bool:
    """The hint; without one whether the mask is that of `size` positions."""
    if hint is not None or mask is None or OBSERVERS or mask.shape != (size, size):
        return bool(hint)
    return bool((mask == _causal_mask(size, dtype=mask.dtype)).all())


def _length(sequence: Tensor, layer: Any) -> int:
    return sequence.size(1 if sequence.dim() == 3 and layer.self_attn.batch_first else 0)


class _Layer(Module):
    """Attention and a network of two linear maps, each with dropout, a sum and a norm."""

    _attentions: tuple[str, ...] = ()

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        made: Any = {"bias": bias, "device": device, "dtype": dtype}
        for name in self._attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **made)
            self.add_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **made)
        self.norm_first = norm_first
        count = len(self._attentions) + 1
        for n in range(1, count + 1):
            self.add_module(f"norm{n}", LayerNorm(d_model, layer_norm_eps, **made))
        for n in range(1, count + 1):
            self.add_module(f"dropout{n}", Dropout(dropout))
        if isinstance(activation, str):
            if activation not in ("relu", "gelu"):
                raise RuntimeError(f"activation should be relu/gelu, not {activation}")
            activation = F.relu if activation == "relu" else F.gelu
        if "multihead_attn" not in self._modules:
            kinds = {1: (F.relu, ReLU), 2: (F.gelu, GELU)}
            found = [n for n, (function, layer) in kinds.items()
                     if activation is function or isinstance(activation, layer)]  # fmt: skip
            self.activation_relu_or_gelu = found[0] if found else 0
        self.activation = activation

    def _normed(self, n: int, x: Tensor, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x + block(x), the n-th of the layer, normalised before or after."""
        norm = getattr(self, f"norm{n}")
        out: Tensor = x + block(norm(x)) if self.norm_first else norm(x + block(x))
        return out

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Any:  # fmt: skip
        out = self.self_attn(x, x, x, key_padding_mask, False, attn_mask, is_causal=is_causal)
        return self.dropout1(out[0])

    def _ff_block(self, x: Tensor) -> Any:
        out = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return getattr(self, f"dropout{len(self._attentions) + 1}")(out)


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then a network at each position.

    `norm_first` normalises before both instead of after. Inputs are (length, batch, d_model), or
    (batch, length, d_model) if `batch_first`.

    >>> layer = torch.nn.TransformerEncoderLayer(d_model=8, nhead=2)
    >>> layer(torch.ones(10, 3, 8)).shape
    torch.Size([10, 3, 8])
    """

    _attentions = ("self_attn",)

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """The layer's output, of the shape of `src`; masks are as in MultiheadAttention."""
        padding, mask = _masks(src, src_key_padding_mask, src_mask, "src_mask")
        x = self._normed(1, src, lambda x: self._sa_block(x, mask, padding, is_causal))
        return self._normed(2, x, self._ff_block)


def _masks(
    src: Tensor, padding: Tensor | None, mask: Tensor | None, name: str
) -> tuple[Tensor | None, Tensor | None]:
    """Both masks of an encoder as numbers to add."""
    other = _none_or_dtype(mask)
    padding = _canonical_mask(padding, "src_key_padding_mask", other, name, src.dtype)
    return padding, _canonical_mask(mask, name, None, "", src.dtype, False)


class TransformerDecoderLayer(_Layer):
    """Attention to itself, then to an encoder's output, then a network at each position.

    >>> layer = torch.nn.TransformerDecoderLayer(d_model=8, nhead=2)
    >>> layer(torch.ones(20, 3, 8), torch.ones(10, 3, 8)).shape
    torch.Size([20, 3, 8])
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """The layer's output, of the shape of `tgt`; masks are as in MultiheadAttention."""
        x = self._normed(
            1, tgt, lambda x: self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        )
        look = self._mha_block
        x = self._normed(
            2, x,
            lambda x: look(x, memory, memory_mask, memory_key_padding_mask, memory_is_causal),
        )  # fmt: skip
        return self._normed(3, x, self._ff_block)

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Any:  # fmt: skip
        out = self.multihead_attn(
            x, mem, mem, key_padding_mask, False, attn_mask, is_causal=is_causal
        )
        return self.dropout2(out[0])


class _Stack(Module):
    """Copies of a layer, one after another, and perhaps a norm."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _through(self, x: Tensor, *given: Any, **masks: Any) -> Tensor:
        """What the layers make of x, one after another."""
        for layer in self.layers:
            x = layer(x, *given, **masks)
        return x


class TransformerEncoder(_Stack):
    """`num_layers` copies of an encoder layer, one after another, and perhaps a norm.

    >>> layer = torch.nn.TransformerEncoderLayer(d_model=8, nhead=2, batch_first=True)
    >>> torch.nn.TransformerEncoder(layer, num_layers=2)(torch.ones(3, 10, 8)).shape
    torch.Size([3, 10, 8])
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        why = _why_padding_stays(encoder_layer)
        self.use_nested_tensor = enable_nested_tensor and not why
        if enable_nested_tensor and why:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"encoder_layer{why}",
                stacklevel=2,
            )

    def forward(
        self, src: Tensor, mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, is_causal: bool | None = None,
    ) -> Tensor:  # fmt: skip
        """The last layer's output; in inference it is 0 at padding that ends sequences."""
        padding, mask = _masks(src, src_key_padding_mask, mask, "mask")
        causal = _is_causal(mask, is_causal, _length(src, self.layers[0]))
        out = self._through(src, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        if padding is not None and mask is None and self._empties_padding(src, padding):
            out = out.masked_fill((padding != 0).unsqueeze(-1), 0.0)
        return out if self.norm is None else self.norm(out)

    def _empties_padding(self, src: Tensor, padding: Tensor) -> bool:
        """Whether PyTorch would leave padding out, by its nested tensors, and give zeros."""
        if OBSERVERS or not self.use_nested_tensor or src.dim() != 3:
            return False
        if not self.layers[0].self_attn._infers(src, src, src):
            return False
        padded = padding != 0
        return not self.mask_check or bool((padded[:, 1:] | ~padded[:, :-1]).all())


def _why_padding_stays(layer: Any) -> str:
    """Why PyTorch makes no nested tensors for a layer; empty if it does."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    attention = layer.self_attn
    reasons = {
        ".norm_first was True": layer.norm_first,
        ".self_attn.batch_first was not True(use batch_first for better inference performance)":
            not attention.batch_first,
        ".self_attn._qkv_same_embed_dim was not True": not attention._qkv_same_embed_dim,
        ".self_attn was passed bias=False": attention.in_proj_bias is None,
        ".activation_relu_or_gelu was not True": not layer.activation_relu_or_gelu,
        ".norm1.eps was not equal to encoder_layer.norm2.eps": layer.norm1.eps != layer.norm2.eps,
        ".self_attn.num_heads is odd": attention.num_heads % 2 == 1,
    }  # fmt: skip
    return next((reason for reason, holds in reasons.items() if holds), "")


class TransformerDecoder(_Stack):
    """`num_layers` copies of a decoder layer, one after another, and perhaps a norm."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """The last layer's output, of the shape of `tgt`; `memory` is an encoder's output."""
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, self.layers[0]))
        out = self._through(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip
        return out if self.norm is None else self.norm(out)


class Transformer(Module):
    """An encoder of one sequence, and a decoder of another that looks at what it gives.

    Raises RuntimeError for sequences of other sizes than `d_model` or of different batches.

    >>> model = torch.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(torch.ones(3, 10, 8), torch.ones(3, 20, 8)).shape
    torch.Size([3, 20, 8])
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
        num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, custom_encoder: Module | None = None,
        custom_decoder: Module | None = None, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Device = None, dtype: DType = None,
    ) -> None:  # fmt: skip
        super().__init__()
        settings: Any = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip
        for name, given, layer_of, stack_of, count in (
            ("encoder", custom_encoder, TransformerEncoderLayer, TransformerEncoder,
             num_encoder_layers),
            ("decoder", custom_decoder, TransformerDecoderLayer, TransformerDecoder,
             num_decoder_layers),
        ):  # fmt: skip
            if given is None:
                layer = layer_of(*settings)
                norm = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
                given = stack_of(layer, count, norm)
            self.add_module(name, given)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """The decoder's output, of the shape of `tgt`; masks are as in MultiheadAttention."""
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(  # type: ignore[no-any-return]
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Device = None, dtype: DType = None
    ) -> Tensor:
        """−∞ above the diagonal, 0 elsewhere: position i may look at those up to i.

        >>> torch.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return _causal_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        """Draw all weights anew, as Glorot and Bengio do."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
