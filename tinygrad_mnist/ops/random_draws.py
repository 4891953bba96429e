"""Random numbers whose parameters are tensors: gamma, Dirichlet, Poisson, binomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.primitive import no_derivative, primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.kernels import rejection

from .arguments import check_floating, operation
from .casting import zeros
from .generator import Generator
from .random_in_place import stream_of


@primitive
def standard_gamma(alpha: Array, *, generator: Generator | None) -> Any:
    """numbers of the gamma distribution of shape α; the share below stays as α changes"""
    check_floating("gamma_cpu", alpha)
    stream = stream_of(generator)
    with stream.lock:
        return rejection.gamma(stream, alpha)


@primitive
def standard_gamma_grad(alpha: Array, x: Array) -> Any:
    """−(∂P(α, x) / ∂α) / p(α, x), of the gamma distribution's P and its density p"""
    return rejection.gamma_slope(alpha, x)


standard_gamma_grad.derivatives(
    alpha=no_derivative("_standard_gamma_grad"), x=no_derivative("_standard_gamma_grad")
)
standard_gamma.derivatives(alpha=lambda g, alpha, out: g * standard_gamma_grad(alpha, out))


@primitive(grad_fn="SampleDirichletBackward0")
def sample_dirichlet(alpha: Array, *, generator: Generator | None) -> Any:
    """shares that add up to 1: gamma-distributed numbers by their sum"""
    stream = stream_of(generator)
    with stream.lock:
        drawn = rejection.gamma(stream, alpha.astype(np.float64))
    shares = (drawn / drawn.sum(-1, keepdims=True)).astype(alpha.dtype)
    largest = np.nextafter(np.float32(1), np.float32(0))
    return np.clip(shares, np.finfo(alpha.dtype).tiny, largest).astype(alpha.dtype)


@primitive
def dirichlet_grad(x: Array, alpha: Array, total: Array) -> Any:
    """−(∂I(x; α, total − α) / ∂α) / p / (1 − x), of the beta distribution's I and its density p"""
    return rejection.beta_slope(x, alpha, np.broadcast_to(total, x.shape))


dirichlet_grad.derivatives(
    x=no_derivative("_dirichlet_grad"), alpha=no_derivative("_dirichlet_grad"),
    total=no_derivative("_dirichlet_grad"),
)  # fmt: skip


def _dirichlet_slope(g: Any, alpha: Any, x: Any) -> Any:
    """d (g − Σ g x), where d = dx / dα / (1 − x) of each x alone"""
    total = alpha.sum(-1)[..., None]
    return dirichlet_grad(x, alpha, total) * (g - (x * g).sum(-1)[..., None])


sample_dirichlet.derivatives(alpha=lambda g, alpha, out: _dirichlet_slope(g, alpha, out))


@primitive(grad_fn="PoissonBackward0")
def _poisson(rate: Array, *, generator: Generator | None) -> Any:
    """counts of the Poisson distribution"""
    stream = stream_of(generator)
    with stream.lock:
        return rejection.poisson(stream, rate)


_poisson.derivatives(rate=lambda g: zeros(g))


@primitive(grad_fn="NotImplemented")
def _binomial(count: Array, p: Array, *, generator: Generator | None) -> Any:
    """how many of so many trials of probability p succeed"""
    stream = stream_of(generator)
    with stream.lock:
        return rejection.binomial(stream, *np.broadcast_arrays(count, p))


_binomial.derivatives(count=no_derivative("aten::binomial"), p=no_derivative("aten::binomial"))


@operation
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """A count for each rate, of the Poisson distribution. RuntimeError for a negative rate."""
    check_floating("poisson_cpu", input._array)
    if not (input._array >= 0).all():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return _poisson(input, generator=generator)


@operation
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials of probability `prob` succeed."""
    check_floating("binomial_cpu", count._array)
    return _binomial(count, prob, generator=generator)
