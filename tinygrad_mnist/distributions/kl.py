"""How far one distribution is from another: E ln(p / q) under p, by their families.

>>> from tinygrad_mnist.distributions import Normal, kl_divergence
>>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
tensor(0.5000)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.linear_algebra import solve_triangular

from .combined import (
    Gumbel,
    Independent,
    MultivariateNormal,
    TransformedDistribution,
    mahalanobis,
)
from .continuous import (
    Beta,
    Cauchy,
    Dirichlet,
    Exponential,
    Gamma,
    Laplace,
    Normal,
    Uniform,
    dirichlet_of,
)
from .discrete import Bernoulli, Binomial, Categorical, Geometric, OneHotCategorical, Poisson
from .distribution import EULER, sum_rightmost

Divergence = Callable[[Any, Any], Any]


def register_kl(type_p: type, type_q: type) -> Callable[[Divergence], Divergence]:
    """A decorator: its function gives the divergence of `type_p` from `type_q`."""

    def keep(function: Divergence) -> Divergence:
        _KNOWN[type_p, type_q] = function
        return function

    return keep


def kl_divergence(p: Any, q: Any) -> Tensor:
    """E ln(p / q) under p, for each of a batch. NotImplementedError where nobody knows it."""
    fits = [pair for pair in _KNOWN if isinstance(p, pair[0]) and isinstance(q, pair[1])]
    if not fits:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    orders = type(p).__mro__, type(q).__mro__
    nearest = min(fits, key=lambda pair: [o.index(t) for o, t in zip(orders, pair, strict=True)])
    found: Tensor = _KNOWN[nearest](p, q)
    return found


def _bernoulli(p: Any, q: Any) -> Any:
    t1 = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    t1 = where(p.probs == 0, 0.0, where(q.probs == 0, math.inf, t1))
    t2 = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    return t1 + where(p.probs == 1, 0.0, where(q.probs == 1, math.inf, t2))


def _binomial(p: Any, q: Any) -> Any:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, math.inf, kl)


def _categorical(p: Any, q: Any) -> Any:
    t = where(q.probs == 0, math.inf, p.probs * (p.logits - q.logits))
    return where(p.probs == 0, 0.0, t).sum(-1)


def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    sums = a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return sums + ((a - b) * (a.digamma() - a.sum(-1, True).digamma())).sum(-1)


def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    sums = b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma()
    return sums + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)


def _gumbel(p: Any, q: Any) -> Any:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc) / q.scale
    grown = ((1 + ratio).lgamma() - apart).exp()
    return -ratio.log() + apart + ratio * EULER - (1 + EULER) + grown


def _cauchy(p: Any, q: Any) -> Any:
    t = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return t.log() - (4 * p.scale * q.scale).log()


def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


def _laplace(p: Any, q: Any) -> Any:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


def _multivariate_normal(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    n = p.event_shape[0]
    shape = (*(p._factor.shape[:-2] or q._factor.shape[:-2]), n, n)
    ratio = solve_triangular(q._factor.expand(shape), p._factor.expand(shape), upper=False)
    square = ratio.pow(2).sum((-2, -1)) + mahalanobis(q._factor, q.loc - p.loc)
    return q._half_log_det() - p._half_log_det() + 0.5 * (square - n)


def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


def _uniform(p: Any, q: Any) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), math.inf, found)


_OF_ONE_FAMILY: dict[type, Divergence] = {
    Bernoulli: _bernoulli,
    Beta: lambda p, q: _dirichlet(dirichlet_of(p), dirichlet_of(q)),
    Binomial: _binomial,
    Categorical: _categorical,
    Cauchy: _cauchy,
    Dirichlet: _dirichlet,
    Exponential: _exponential,
    Gamma: _gamma,
    Geometric: lambda p, q: -p.entropy() - (-q.probs).log1p() / p.probs - q.logits,
    Gumbel: _gumbel,
    Independent: _independent,
    Laplace: _laplace,
    MultivariateNormal: _multivariate_normal,
    Normal: _normal,
    OneHotCategorical: _categorical,
    Poisson: lambda p, q: p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate),
    TransformedDistribution: _transformed,
    Uniform: _uniform,
}
_KNOWN: dict[tuple[type, type], Divergence] = {(k, k): f for k, f in _OF_ONE_FAMILY.items()}
