"""Distributions of real numbers: a table of their parameters and formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.joining import stack
from tinygrad_mnist.ops.random_draws import sample_dirichlet, standard_gamma
from tinygrad_mnist.ops.random_factories import rand
from tinygrad_mnist.ops.special import xlogy

from . import constraints
from .distribution import (
    HALF_LOG_2PI,
    Distribution,
    epsilon,
    family,
    standard_normal,
    tiny,
    uniform,
)

Normal = family(
    "Normal", "loc:real scale:positive", constraints.real,
    """The normal distribution of mean `loc` and standard deviation `scale`.

    >>> _ = torch.manual_seed(0)
    >>> Normal(torch.tensor([0.0]), torch.tensor([1.0])).sample()
    tensor([1.5410])
    """,
    mean=lambda d: d.loc, mode=lambda d: d.loc, stddev=lambda d: d.scale,
    variance=lambda d: d.scale.pow(2),
    rsample=lambda d, shape: d.loc + standard_normal(shape, d.loc) * d.scale,
    log_prob=lambda d, x: -((x - d.loc) ** 2) / (2 * d.variance) - d.scale.log() - HALF_LOG_2PI,
    cdf=lambda d, x: 0.5 * (1 + ((x - d.loc) * d.scale.reciprocal() / math.sqrt(2)).erf()),
    icdf=lambda d, share: d.loc + d.scale * (2 * share - 1).erfinv() * math.sqrt(2),
    entropy=lambda d: 0.5 + HALF_LOG_2PI + d.scale.log(),
)  # fmt: skip


def _log_inside(d: Any, x: Any) -> Any:
    inside = (d.low <= x).type_as(d.low) * (d.high > x).type_as(d.low)
    return inside.log() - (d.high - d.low).log()


Uniform = family(
    "Uniform", "low:dependent high:dependent",
    constraints.dependent_property(lambda d: constraints.interval(d.low, d.high)),
    "Equal density from `low` up to `high`.", kind=Distribution,
    refused=lambda d: "" if (d.low < d.high).all() else "Uniform is not defined when low>= high",
    mean=lambda d: (d.high + d.low) / 2, mode=lambda d: math.nan * d.high,
    stddev=lambda d: (d.high - d.low) / 12**0.5, variance=lambda d: (d.high - d.low).pow(2) / 12,
    rsample=lambda d, shape: d.low + rand(tuple(shape), dtype=d.low.dtype) * (d.high - d.low),
    log_prob=_log_inside,
    cdf=lambda d, x: ((x - d.low) / (d.high - d.low)).clamp(min=0, max=1),
    icdf=lambda d, share: share * (d.high - d.low) + d.low,
    entropy=lambda d: (d.high - d.low).log(),
)  # fmt: skip

Exponential = family(
    "Exponential", "rate:positive", constraints.nonnegative, "Waiting times of events of a `rate`.",
    mean=lambda d: d.rate.reciprocal(), mode=lambda d: 0 * d.rate,
    stddev=lambda d: d.rate.reciprocal(), variance=lambda d: d.rate.pow(-2),
    rsample=lambda d, shape: d.rate.detach().new_empty(tuple(shape)).exponential_() / d.rate,
    log_prob=lambda d, x: d.rate.log() - d.rate * x,
    cdf=lambda d, x: 1 - (-d.rate * x).exp(), icdf=lambda d, share: -(-share).log1p() / d.rate,
    entropy=lambda d: 1.0 - d.rate.log(),
)  # fmt: skip


def _laplace(d: Any, share: Any) -> Any:
    """The number of a share in −½ to ½."""
    return d.loc - d.scale * share.sign() * (-2 * share.abs()).log1p()


Laplace = family(
    "Laplace", "loc:real scale:positive", constraints.real,
    "Density falls exponentially on both sides of `loc`.", kind=Distribution,
    mean=lambda d: d.loc, mode=lambda d: d.loc,
    stddev=lambda d: 2**0.5 * d.scale, variance=lambda d: 2 * d.scale.pow(2),
    rsample=lambda d, shape: _laplace(d, uniform(shape, d.loc, epsilon(d.loc) - 1) / 2),
    log_prob=lambda d, x: -(2 * d.scale).log() - (x - d.loc).abs() / d.scale,
    cdf=lambda d, x: 0.5 - 0.5 * (x - d.loc).sign() * (-(x - d.loc).abs() / d.scale).expm1(),
    icdf=lambda d, share: _laplace(d, share - 0.5),
    entropy=lambda d: 1 + (2 * d.scale).log(),
)  # fmt: skip

Cauchy = family(
    "Cauchy", "loc:real scale:positive", constraints.real,
    "The quotient of two normal numbers, moved and stretched: it has no mean.", kind=Distribution,
    mean=lambda d: d.loc * 0 + math.nan, mode=lambda d: d.loc,
    variance=lambda d: d.loc * 0 + math.inf,
    rsample=lambda d, shape: d.loc + d.loc.new_empty(tuple(shape)).cauchy_() * d.scale,
    log_prob=lambda d, x: (
        -math.log(math.pi) - d.scale.log() - (((x - d.loc) / d.scale) ** 2).log1p()),
    cdf=lambda d, x: ((x - d.loc) / d.scale).atan() / math.pi + 0.5,
    icdf=lambda d, share: (math.pi * (share - 0.5)).tan() * d.scale + d.loc,
    entropy=lambda d: math.log(4 * math.pi) + d.scale.log(),
)  # fmt: skip


def _gamma(d: Any, shape: Any) -> Any:
    drawn = standard_gamma(d.concentration.expand(shape), generator=None)
    value = drawn / d.rate.expand(shape)
    value.detach().clamp_(min=tiny(value))
    return value


def _gamma_entropy(d: Any) -> Any:
    a = d.concentration
    return a - d.rate.log() + a.lgamma() + (1.0 - a) * a.digamma()


Gamma = family(
    "Gamma", "concentration:positive rate:positive", constraints.nonnegative,
    "Sums of waiting times: of shape `concentration`, at a `rate`.",
    given=lambda d, x: x if isinstance(x, Tensor) else wrap(np.asarray(x, d.rate._array.dtype)),
    mean=lambda d: d.concentration / d.rate,
    mode=lambda d: ((d.concentration - 1) / d.rate).clamp(min=0),
    variance=lambda d: d.concentration / d.rate.pow(2),
    rsample=_gamma,
    log_prob=lambda d, x: (
        xlogy(d.concentration, d.rate) + xlogy(d.concentration - 1, x) - d.rate * x
        - d.concentration.lgamma()),
    cdf=lambda d, x: d.concentration.igamma(d.rate * x),
    entropy=_gamma_entropy,
)  # fmt: skip

Chi2 = family(
    "Chi2", "df:positive", constraints.nonnegative, "The sum of squares of `df` normal numbers.",
    kind=Gamma, told=False, concentration=lambda d: 0.5 * d.df, rate=lambda d: 0 * d.df + 0.5,
)  # fmt: skip


def _student_variance(d: Any) -> Any:
    wide = where(d.df > 1, math.inf, math.nan)
    several = where(d.df > 2, d.df, 3.0)
    return where(d.df > 2, d.scale.pow(2) * several / (several - 2), wide)


def _student(d: Any, shape: Any) -> Any:
    x = standard_normal(shape, d.df)
    z = Chi2(d.df.expand(shape), validate_args=False).rsample()
    return d.loc + d.scale * (x * (z / d.df).rsqrt())


def _student_log_prob(d: Any, x: Any) -> Any:
    half, more = 0.5 * d.df, 0.5 * (d.df + 1.0)
    z = d.scale.log() + 0.5 * (d.df.log() + math.log(math.pi)) + half.lgamma() - more.lgamma()
    return -more * (((x - d.loc) / d.scale) ** 2.0 / d.df).log1p() - z


def _student_entropy(d: Any) -> Any:
    half, more = 0.5 * d.df, 0.5 * (d.df + 1)
    log_beta = half.lgamma() + math.lgamma(0.5) - more.lgamma()
    return d.scale.log() + more * (more.digamma() - half.digamma()) + 0.5 * d.df.log() + log_beta


StudentT = family(
    "StudentT", "df:positive loc:real scale:positive", constraints.real,
    "A normal number by the root of a mean square of `df` others, moved and stretched.",
    kind=Distribution, defaults={"loc": 0.0, "scale": 1.0},
    mean=lambda d: where(d.df <= 1, math.nan, d.loc), mode=lambda d: d.loc,
    variance=_student_variance, rsample=_student, log_prob=_student_log_prob,
    entropy=_student_entropy,
)  # fmt: skip


def _dirichlet_mode(d: Any) -> Any:
    """The corner of the largest share where no share is likely inside."""
    least = (d.concentration - 1).clamp(min=0.0)
    mode = least / least.sum(-1, True)
    corner = d.concentration.detach() * 0
    corner = corner.scatter(-1, mode.argmax(-1).unsqueeze(-1), 1.0)
    return where((d.concentration < 1).all(-1).unsqueeze(-1), corner, mode)


def _dirichlet_entropy(d: Any) -> Any:
    a, total, k = d.concentration, d.concentration.sum(-1), d.concentration.shape[-1]
    spread = (k - total) * total.digamma() + ((a - 1.0) * a.digamma()).sum(-1)
    return a.lgamma().sum(-1) - total.lgamma() - spread


def _dirichlet_log_prob(d: Any, x: Any) -> Any:
    a = d.concentration
    return xlogy(a - 1.0, x).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)


Dirichlet = family(
    "Dirichlet", "concentration:_positive_vector", constraints.simplex,
    "Shares that add up to 1, of the shapes `concentration`.",
    mean=lambda d: d.concentration / d.concentration.sum(-1, True), mode=_dirichlet_mode,
    variance=lambda d: d.mean * (1 - d.mean) / (d.concentration.sum(-1, True) + 1),
    rsample=lambda d, shape: sample_dirichlet(d.concentration.expand(shape), generator=None),
    log_prob=_dirichlet_log_prob, entropy=_dirichlet_entropy,
)  # fmt: skip


def dirichlet_of(d: Any) -> Distribution:
    """The Dirichlet distribution of both shares of a Beta."""
    return Dirichlet(stack([d.concentration1, d.concentration0], -1), validate_args=False)


Beta = family(
    "Beta", "concentration1:positive concentration0:positive", constraints.unit_interval,
    "The first of two shares, of the shapes `concentration1` and `concentration0`.", told=False,
    mean=lambda d: d.concentration1 / (d.concentration1 + d.concentration0),
    mode=lambda d: dirichlet_of(d).mode[..., 0],
    variance=lambda d: dirichlet_of(d).variance[..., 0],
    rsample=lambda d, shape: dirichlet_of(d)._rsample((*shape, 2)).select(-1, 0),
    log_prob=lambda d, x: dirichlet_of(d).log_prob(stack([x, 1.0 - x], -1)),
    entropy=lambda d: dirichlet_of(d).entropy(),
)  # fmt: skip
