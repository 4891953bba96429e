"""Parametrizations ready to use: weights of given lengths, of spectral norm 1, orthogonal ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import linalg
from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist._tensor.creation import eye
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.modules.module import Module
from tinygrad_mnist.ops.joining import cat
from tinygrad_mnist.ops.random_factories import randn

from .norms import Power, default_dim, norm_except_dim, weight_of
from .parametrize import register_parametrization


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, TensorClass):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """v · g / |v|"""
        return weight_of(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths of a weight, and the weight itself."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight as lengths (`original0`) and directions (`original1`), apart along `dim`.

    Salimans and Kingma, "Weight normalization" (2016).

    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([2, 1])
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(module: Module, state_dict: Any, prefix: str, *rest: Any) -> None:
        keys = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if all(key in state_dict for key in keys):
            for n, key in enumerate(keys):
                state_dict[f"{prefix}parametrizations.{name}.original{n}"] = state_dict.pop(key)

    module.register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.dim()
        if not -ndim <= dim < ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{ndim}, {ndim - 1}] but got {dim})"
            )
        self.power = Power(n_power_iterations, dim % ndim, eps)
        self.eps = eps
        self.dim = dim % ndim
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self.power.matrix(weight.detach())
            for side, size in zip("uv", matrix.shape, strict=True):
                self.register_buffer(f"_{side}", self.power.unit(matrix.new_empty(size).normal_()))
            self._improve(matrix, 15)

    @no_grad()
    def _improve(self, matrix: Tensor, times: int) -> None:
        for _ in range(times):
            self._u.copy_(self.power.unit(matrix.mv(self._v)))
            self._v.copy_(self.power.unit(matrix.t().mv(self._u)))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value, or a vector over its length."""
        if weight.dim() == 1:
            return self.power.unit(weight)
        matrix = self.power.matrix(weight)
        if self.training:
            self._improve(matrix, self.n_power_iterations)
        out: Tensor = weight / self._u.clone().dot(matrix.mv(self._v.clone()))
        return out

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: it is the weight before the division."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
    dim: int | None = None,
) -> Module:  # fmt: skip
    """Divide a weight by its largest singular value, found by power iteration.

    Miyato et al., "Spectral normalization for generative adversarial networks" (2018).
    """
    weight = _tensor_of(module, name)
    rows = default_dim(module) if dim is None else dim
    made = _SpectralNorm(weight, n_power_iterations, rows, eps)
    return register_parametrization(module, name, made)


_MAPS = ("matrix_exp", "cayley", "householder")


def _make_orthogonal(matrix: Tensor) -> Tensor:
    q, r = linalg.qr(matrix)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _reflections(below: Tensor) -> Tensor:
    """The first columns of a product of reflections, at the columns below a diagonal of 1."""
    n, k = below.shape[-2:]
    unit = eye(n, k, dtype=below.dtype)
    vectors = below + unit
    out = unit.expand(below.shape)
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        out = out - v @ (v.mT @ out) * (2 / (v * v).sum((-2, -1), keepdim=True))
    return out


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, trivial: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if trivial:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """An orthogonal matrix of any matrix, times the one to start from."""
        wide = X.size(-2) < X.size(-1)
        x = X.mT if wide else X
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            signs = x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
            out = _reflections(x.tril(-1)) * signs
        else:
            x = x.tril()
            if n != k:
                x = cat([x, x.new_zeros(*x.shape[:-2], n, n - k)], -1)
            skew = x - x.mT
            if self.orthogonal_map == "matrix_exp":
                out = linalg.matrix_exp(skew)
            else:
                unit = eye(n, dtype=x.dtype)
                out = linalg.solve(unit - skew / 2, unit + skew / 2)
            out = out[..., :k]
        if "base" in self._buffers and self.base is not None:
            out = self.base @ out
        return out.mT if wide else out

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """Start from the orthogonal matrix nearest to `Q`."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {Q.shape}."
            )
        if "base" not in self._buffers:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley "
                "parametrizations when use_trivialization=False."
            )
        q = Q.mT if Q.size(-2) < Q.size(-1) else Q
        n, k = q.shape[-2:]
        if n != k:
            q = cat([q, randn(*q.shape[:-2], n, n - k, dtype=q.dtype)], -1)
        unit = eye(n, dtype=q.dtype)
        near = 10 * n * float(np.finfo(q._array.dtype).eps)
        self.base = q.clone() if (q.mT @ q - unit).abs().max() <= near else _make_orthogonal(q)
        return -eye(*Q.shape[-2:], dtype=Q.dtype).expand(Q.shape).contiguous()


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
    use_trivialization: bool = True,
) -> Module:  # fmt: skip
    """Keep a weight orthogonal (or with orthonormal rows or columns) while it is trained.

    `orthogonal_map` is "matrix_exp", "cayley" or "householder". Raises ValueError for what is no
    matrix, NotImplementedError for "householder" with `use_trivialization=False`.

    Lezcano-Casado, "Trivializations for gradient-based optimization on manifolds" (2019).
    """
    weight = _tensor_of(module, name)
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.size(-2) == weight.size(-1) else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    if orthogonal_map == "householder" and not use_trivialization:
        raise NotImplementedError(
            'orthogonal(orthogonal_map="householder", use_trivialization=False) is not supported: '
            "leave use_trivialization out, or use another map"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
