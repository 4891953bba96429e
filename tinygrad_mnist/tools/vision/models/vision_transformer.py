"""Dosovitskiy et al., "An image is worth 16 × 16 words" (2021)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from ..ops import MLP
from ..refusals import must
from ._api import offer

Norm = Callable[[int], nn.Module]
_norm = partial(nn.LayerNorm, eps=1e-6)


class MLPBlock(MLP):
    """Two linear layers."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.normal_(layer.bias, std=1e-6)
        self.register_load_state_dict_pre_hook(_with_new_names)


def _with_new_names(module: Any, state: Any, prefix: str, *_: Any) -> None:
    """The layers were once named linear_1 and linear_2, as in the files of weights."""
    for old, new in (("linear_1", 0), ("linear_2", 3)):
        for kind in ("weight", "bias"):
            if f"{prefix}{old}.{kind}" in state:
                state[f"{prefix}{new}.{kind}"] = state.pop(f"{prefix}{old}.{kind}")


class EncoderBlock(nn.Module):
    """Attention, then two linear layers, each of a normed input to which it is added."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
        attention_dropout: float, norm_layer: Norm = _norm,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Any) -> Any:
        """The sequence, one step on."""
        x = self.ln_1(input)
        x = self.dropout(self.self_attention(x, x, x, need_weights=False)[0]) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Places, then blocks."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
        dropout: float, attention_dropout: float, norm_layer: Norm = _norm,
    ) -> None:  # fmt: skip
        super().__init__()
        places = torch.empty(1, seq_length, hidden_dim).normal_(std=0.02)
        self.pos_embedding = nn.Parameter(places)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential()
        for i in range(num_layers):
            self.layers.add_module(f"encoder_layer_{i}", EncoderBlock(
                num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
            ))  # fmt: skip
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Any) -> Any:
        """The sequence, as the blocks leave it."""
        told = f"Expected (batch_size, seq_length, hidden_dim) got {input.shape}"
        must(input.dim() == 3, told, AssertionError)
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """A picture's patches as a sequence, whose first part gathers what tells the class."""

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int,
        mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0,
        num_classes: int = 1000, representation_size: int | None = None, norm_layer: Norm = _norm,
    ) -> None:  # fmt: skip
        super().__init__()
        told = "Input shape indivisible by patch size!"
        must(image_size % patch_size == 0, told, AssertionError)
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.mlp_dim, self.num_classes, self.norm_layer = mlp_dim, num_classes, norm_layer
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.representation_size = representation_size
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
            attention_dropout, norm_layer,
        )  # fmt: skip
        self.heads = nn.Sequential()
        if representation_size is not None:
            self.heads.pre_logits = nn.Linear(hidden_dim, representation_size)
            self.heads.act = nn.Tanh()
        self.heads.head = nn.Linear(representation_size or hidden_dim, num_classes)
        fan_in = self.conv_proj.weight[0].numel()
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / fan_in))
        zeros = [self.conv_proj.bias, self.heads.head.weight, self.heads.head.bias]
        if representation_size is not None:
            first: Any = self.heads.pre_logits
            nn.init.trunc_normal_(first.weight, std=math.sqrt(1 / hidden_dim))
            zeros.append(first.bias)
        for each in zeros:
            nn.init.zeros_(each)

    def forward(self, x: Any) -> Any:
        """A number for each class."""
        x = self._process_input(x)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])

    def _process_input(self, x: Any) -> Any:
        """The patches of the pictures, as sequences (batch, patches, channels)."""
        for name, size in zip(("height", "width"), x.shape[2:], strict=True):
            told = f"Wrong image {name}! Expected {self.image_size} but got {size}!"
            must(size == self.image_size, told, AssertionError)
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)


def _vit(*sizes: Any, image_size: int = 224, **settings: Any) -> VisionTransformer:
    return VisionTransformer(image_size, *sizes, **settings)


_BASE, _LARGE, _HUGE = (12, 12, 768, 3072), (24, 16, 1024, 4096), (32, 16, 1280, 5120)
_LINEAR = "224/224/bicubic"
offer(globals(), "VisionTransformer", {
    "vit_b_16 ViT_B_16 vit_b_16-c867db91 SWAG_E2E_V1=vit_b_16_swag-9ac1b537/384/384/bicubic "
    f"SWAG_LINEAR_V1=vit_b_16_lc_swag-4e70ced5/{_LINEAR}": partial(_vit, 16, *_BASE),
    "vit_b_32 ViT_B_32 vit_b_32-d86f8d99": partial(_vit, 32, *_BASE),
    "vit_l_16 ViT_L_16 vit_l_16-852ce7e3/224/242 "
    "SWAG_E2E_V1=vit_l_16_swag-4f3808c9/512/512/bicubic "
    f"SWAG_LINEAR_V1=vit_l_16_lc_swag-4d563306/{_LINEAR}": partial(_vit, 16, *_LARGE),
    "vit_l_32 ViT_L_32 vit_l_32-c7638314": partial(_vit, 32, *_LARGE),
    "vit_h_14 ViT_H_14 SWAG_E2E_V1=vit_h_14_swag-80465313/518/518/bicubic "
    f"SWAG_LINEAR_V1=vit_h_14_lc_swag-c1eb923e/{_LINEAR}": partial(_vit, 14, *_HUGE),
}, with_weights=lambda weights: {"image_size": weights.meta["crop_size"]})  # fmt: skip
