"""Distributions of real numbers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist.engine.size import Size
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
    ExponentialFamily,
    Shape,
    broadcast_all,
    epsilon,
    standard_normal,
    tiny,
    uniform,
)

real = constraints.real


def _of(name: str) -> Any:
    """A property that is one of the parameters."""
    return property(lambda self: getattr(self, name))


class Normal(
    ExponentialFamily, params="loc:real scale:positive", support=real, reparametrized=True
):
    """The normal distribution of mean `loc` and standard deviation `scale`.

    >>> _ = torch.manual_seed(0)
    >>> Normal(torch.tensor([0.0]), torch.tensor([1.0])).sample()
    tensor([1.5410])
    """

    mean = mode = _of("loc")
    stddev = _of("scale")
    variance = property(lambda self: self.scale.pow(2))

    def _rsample(self, shape: Size) -> Any:
        eps = standard_normal(shape, self.loc)
        return self.loc + eps * self.scale

    def _log_prob(self, value: Any) -> Any:
        apart = value - self.loc
        return -(apart**2) / (2 * self.variance) - self.scale.log() - HALF_LOG_2PI

    def _cdf(self, value: Any) -> Any:
        return 0.5 * (1 + ((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)).erf())

    def _icdf(self, value: Any) -> Any:
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def _entropy(self) -> Any:
        return 0.5 + HALF_LOG_2PI + self.scale.log()


class Uniform(Distribution, params="low:dependent high:dependent", reparametrized=True):
    """Equal density from `low` up to `high`."""

    mean = property(lambda self: (self.high + self.low) / 2)
    mode = property(lambda self: math.nan * self.high)
    stddev = property(lambda self: (self.high - self.low) / 12**0.5)
    variance = property(lambda self: (self.high - self.low).pow(2) / 12)

    def __init__(
        self, low: Tensor | float, high: Tensor | float, validate_args: bool | None = None
    ) -> None:
        super().__init__(low, high, validate_args=validate_args)
        if self._validate_args and not (self.low < self.high).all():
            raise ValueError("Uniform is not defined when low>= high")

    @constraints.dependent_property
    def support(self) -> Any:
        """From low to high."""
        return constraints.interval(self.low, self.high)

    def _rsample(self, shape: Size) -> Any:
        drawn = rand(tuple(shape), dtype=self.low.dtype)
        return self.low + drawn * (self.high - self.low)

    def _log_prob(self, value: Any) -> Any:
        inside = (self.low <= value).type_as(self.low) * (self.high > value).type_as(self.low)
        return inside.log() - (self.high - self.low).log()

    def _cdf(self, value: Any) -> Any:
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def _icdf(self, value: Any) -> Any:
        return value * (self.high - self.low) + self.low

    def _entropy(self) -> Any:
        return (self.high - self.low).log()


class Exponential(
    ExponentialFamily, params="rate:positive", support=constraints.nonnegative, reparametrized=True
):
    """Waiting times of events of a `rate`."""

    mean = stddev = property(lambda self: self.rate.reciprocal())
    mode = property(lambda self: 0 * self.rate)
    variance = property(lambda self: self.rate.pow(-2))

    def _rsample(self, shape: Size) -> Any:
        return standard_exponential(shape, self.rate) / self.rate

    def _log_prob(self, value: Any) -> Any:
        return self.rate.log() - self.rate * value

    def _cdf(self, value: Any) -> Any:
        return 1 - (-self.rate * value).exp()

    def _icdf(self, value: Any) -> Any:
        return -(-value).log1p() / self.rate

    def _entropy(self) -> Any:
        return 1.0 - self.rate.log()


def standard_exponential(shape: Shape, like: Tensor) -> Tensor:
    """Numbers of the exponential distribution of rate 1."""
    return rand(0, dtype=like.dtype).new_empty(tuple(shape)).exponential_()


class Laplace(Distribution, params="loc:real scale:positive", support=real, reparametrized=True):
    """Density falls exponentially on both sides of `loc`."""

    mean = mode = _of("loc")
    variance = property(lambda self: 2 * self.scale.pow(2))
    stddev = property(lambda self: 2**0.5 * self.scale)

    def _rsample(self, shape: Size) -> Any:
        u = uniform(shape, self.loc, epsilon(self.loc) - 1)
        return self.loc - self.scale * u.sign() * (-u.abs()).log1p()

    def _log_prob(self, value: Any) -> Any:
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def _cdf(self, value: Any) -> Any:
        apart = value - self.loc
        return 0.5 - 0.5 * apart.sign() * (-apart.abs() / self.scale).expm1()

    def _icdf(self, value: Any) -> Any:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def _entropy(self) -> Any:
        return 1 + (2 * self.scale).log()


class Cauchy(Distribution, params="loc:real scale:positive", support=real, reparametrized=True):
    """The quotient of two normal numbers, moved and stretched: it has no mean."""

    mode = _of("loc")
    mean = property(lambda self: self.loc * 0 + math.nan)
    variance = property(lambda self: self.loc * 0 + math.inf)

    def _rsample(self, shape: Size) -> Any:
        drawn = self.loc.new_empty(tuple(shape)).cauchy_()
        return self.loc + drawn * self.scale

    def _log_prob(self, value: Any) -> Any:
        square = ((value - self.loc) / self.scale) ** 2
        return -math.log(math.pi) - self.scale.log() - square.log1p()

    def _cdf(self, value: Any) -> Any:
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def _icdf(self, value: Any) -> Any:
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def _entropy(self) -> Any:
        return math.log(4 * math.pi) + self.scale.log()


class Gamma(
    ExponentialFamily, params="concentration:positive rate:positive",
    support=constraints.nonnegative, reparametrized=True,
):  # fmt: skip
    """Sums of waiting times: of shape `concentration`, at a `rate`."""

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate.pow(2))

    def _rsample(self, shape: Size) -> Any:
        drawn = standard_gamma(self.concentration.expand(shape), generator=None)
        value = drawn / self.rate.expand(shape)
        value.detach().clamp_(min=tiny(value))
        return value

    def log_prob(self, value: Tensor | float) -> Any:
        """ln of the density at `value`, which may be a number."""
        kind = self.rate._array.dtype
        given = value if isinstance(value, Tensor) else wrap(np.asarray(value, kind))
        return super().log_prob(given)

    def _log_prob(self, value: Any) -> Any:
        shape = self.concentration
        return (
            xlogy(shape, self.rate) + xlogy(shape - 1, value) - self.rate * value - shape.lgamma()
        )

    def _entropy(self) -> Any:
        shape = self.concentration
        return shape - self.rate.log() + shape.lgamma() + (1.0 - shape) * shape.digamma()

    def _cdf(self, value: Any) -> Any:
        return self.concentration.igamma(self.rate * value)


class Chi2(Gamma, params="df:positive"):
    """The sum of squares of `df` normal numbers."""

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        (freedom,) = broadcast_all(df)
        self.concentration, self.rate = broadcast_all(0.5 * freedom, 0.5)
        self._begin(freedom.shape, validate_args=validate_args)

    @property
    def df(self) -> Any:
        """Degrees of freedom."""
        return self.concentration * 2

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        new.concentration, new.rate = (x.expand(Size(batch_shape))
                                       for x in (self.concentration, self.rate))  # fmt: skip
        new._begin(batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new


class StudentT(
    Distribution, params="df:positive loc:real scale:positive", support=real, reparametrized=True,
    loc=0.0, scale=1.0,
):  # fmt: skip
    """A normal number by the root of a mean square of `df` others, moved and stretched."""

    mode = _of("loc")

    mean = property(lambda self: where(self.df <= 1, math.nan, self.loc))

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        wide = where(self.df > 1, math.inf, math.nan)
        several = where(self.df > 2, self.df, 3.0)
        return where(self.df > 2, self.scale.pow(2) * several / (several - 2), wide)

    def _rsample(self, shape: Size) -> Any:
        x = standard_normal(shape, self.df)
        z = Chi2(self.df.expand(shape), validate_args=False).rsample()
        return self.loc + self.scale * (x * (z / self.df).rsqrt())

    def _log_prob(self, value: Any) -> Any:
        y = (value - self.loc) / self.scale
        z = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
        z = z + (0.5 * self.df).lgamma() - (0.5 * (self.df + 1.0)).lgamma()
        return -0.5 * (self.df + 1.0) * (y**2.0 / self.df).log1p() - z

    def _entropy(self) -> Any:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = half.lgamma() + math.lgamma(0.5) - more.lgamma()
        spread = more * (more.digamma() - half.digamma())
        return self.scale.log() + spread + 0.5 * self.df.log() + log_beta


class Dirichlet(ExponentialFamily, reparametrized=True):
    """Shares that add up to 1, of the shapes `concentration`."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "concentration": constraints.independent(constraints.positive, 1)
    }
    support = constraints.simplex

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        self._begin(shape[:-1], shape[-1:], validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.concentration.sum(-1, True))

    @property
    def mode(self) -> Any:
        """The most likely value."""
        least = (self.concentration - 1).clamp(min=0.0)
        mode = least / least.sum(-1, True)
        flat = (self.concentration < 1).all(-1)
        largest = mode.argmax(-1)
        corner = wrap((mode._array * 0 == 1).astype(mode._array.dtype))
        corner = corner.scatter(-1, largest.unsqueeze(-1), 1.0)
        return where(flat.unsqueeze(-1), corner, mode)

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def _rsample(self, shape: Size) -> Any:
        return sample_dirichlet(self.concentration.expand(shape), generator=None)

    def _log_prob(self, value: Any) -> Any:
        a = self.concentration
        return xlogy(a - 1.0, value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def _entropy(self) -> Any:
        a, total, k = self.concentration, self.concentration.sum(-1), self._event_shape[0]
        spread = (k - total) * total.digamma() + ((a - 1.0) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - spread


class Beta(ExponentialFamily, support=constraints.unit_interval, reparametrized=True):
    """The first of two shares, of the shapes `concentration1` and `concentration0`."""

    arg_constraints: ClassVar[dict[str, Any]] = {"concentration1": constraints.positive,
                       "concentration0": constraints.positive}  # fmt: skip

    def __init__(
        self, concentration1: Tensor | float, concentration0: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        pair = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(stack(pair, -1), validate_args=validate_args)
        self._begin(self._dirichlet._batch_shape, validate_args=validate_args)

    concentration1 = property(lambda self: self._dirichlet.concentration[..., 0])
    concentration0 = property(lambda self: self._dirichlet.concentration[..., 1])
    mode = property(lambda self: self._dirichlet.mode[..., 0])

    mean = property(lambda self: self.concentration1 / (self.concentration1 + self.concentration0))

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        new._begin(batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _rsample(self, shape: Size) -> Any:
        return self._dirichlet._rsample(Size((*shape, 2))).select(-1, 0)

    def _log_prob(self, value: Any) -> Any:
        return self._dirichlet.log_prob(stack([value, 1.0 - value], -1))

    def _entropy(self) -> Any:
        return self._dirichlet.entropy()
