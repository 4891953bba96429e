"""Distributions made of others: transformed, mixed, counted as one; and of several dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.linear_algebra import (
    cholesky_inverse,
    linalg_cholesky,
    solve_triangular,
)
from tinygrad_mnist.ops.shapes import broadcast_shapes

from . import constraints
from .continuous import Normal, Uniform
from .discrete import Categorical, LogitRelaxedBernoulli
from .distribution import (
    EULER,
    HALF_LOG_2PI,
    Distribution,
    Shape,
    epsilon,
    family,
    lazy_property,
    standard_normal,
    sum_rightmost,
    tiny,
)
from .transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    Transform,
)


class _Wrapped(Distribution):
    """What takes the samples of another distribution, and may change them."""

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = property(lambda self: self.base_dist.has_rsample)

    def _mapped(self, x: Any) -> Any:
        return x

    def sample(self, sample_shape: Shape = ()) -> Any:
        """Samples without gradients."""
        with no_grad():
            return self._mapped(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Any:
        """Samples that follow the parameters' gradients."""
        return self._mapped(self.base_dist.rsample(sample_shape))


class Independent(_Wrapped):
    """A distribution whose last batch dimensions count as dimensions of one event.

    >>> Independent(Normal(torch.zeros(3, 2), torch.ones(3, 2)), 1).log_prob(torch.zeros(3, 2))
    tensor([-1.8379, -1.8379, -1.8379])
    """

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(batch)}"
            )
        shape = batch + base_distribution.event_shape
        edge = len(batch) - reinterpreted_batch_ndims
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self._begin(shape[:edge], shape[edge:], validate_args)

    def _inner_shape(self, inner: Any, shape: Size) -> Size:
        return shape + self._event_shape[: self.reinterpreted_batch_ndims]

    has_enumerate_support = property(
        lambda self: self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support
    )
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the base, for events of more dimensions."""
        return constraints.widened(self.base_dist.support, self.reinterpreted_batch_ndims)

    def log_prob(self, value: Tensor) -> Tensor:
        """ln of the density at `value`."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def _entropy(self) -> Any:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values that a sample can have, along a new first dimension."""
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(_Wrapped):
    """What becomes of a distribution's samples by `transforms`, one after the other."""

    def __init__(
        self, base_distribution: Any, transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(given, list | tuple) or not all(isinstance(t, Transform) for t in given):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        self.transforms = list(given)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        map = self._map
        if len(shape) < map.domain.event_dim:
            raise ValueError(
                f"base_distribution needs to have shape with size at least "
                f"{map.domain.event_dim}, but got {shape}."
            )
        ahead = map.forward_shape(shape)
        base = base_distribution.expand(
            map.inverse_shape(ahead)[: len(base_distribution.batch_shape)]
        )
        lacking = map.domain.event_dim - len(base.event_shape)
        self.base_dist = Independent(base, lacking) if lacking > 0 else base
        more = max(len(self.base_dist.event_shape) - map.domain.event_dim, 0)
        edge = len(ahead) - map.codomain.event_dim - more
        self._begin(ahead[:edge], ahead[edge:], validate_args=validate_args)

    _map = property(lambda self: ComposeTransform(self.transforms))

    def _inner_shape(self, inner: Any, shape: Size) -> Size:
        given = self._map.inverse_shape(shape + self._event_shape)
        return Size(given[: len(given) - len(inner.event_shape)])

    @constraints.dependent_property
    def support(self) -> Any:
        """Where the last map leads to."""
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        return constraints.widened(found, len(self._event_shape) - found.event_dim)

    def _mapped(self, x: Any) -> Any:
        return self._map(x)

    def _log_prob(self, value: Any) -> Any:
        total: Any = 0.0
        events, y = len(self._event_shape), value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            events += transform.domain.event_dim - transform.codomain.event_dim
            stretch = transform.log_abs_det_jacobian(x, y)
            total = total - sum_rightmost(stretch, events - transform.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        return total + sum_rightmost(base, events - len(self.base_dist.event_shape))

    def _monotone(self, share: Any) -> Any:
        sign = self._map.sign
        return share if isinstance(sign, int) and sign == 1 else sign * (share - 0.5) + 0.5

    def _cdf(self, value: Any) -> Any:
        return self._monotone(self.base_dist.cdf(self._map.inv(value)))

    def _icdf(self, value: Any) -> Any:
        return self._mapped(self.base_dist.icdf(self._monotone(value)))


class _Made(TransformedDistribution):
    """Families of transformed distributions: `_parts` are base and maps."""

    def __init__(self, *given: Any, **named: Any) -> None:
        values = self._bound(given, named)
        validate = values.pop("validate_args")
        self._fill(values)
        base, maps = self._parts(validate)
        super().__init__(base, maps, validate_args=validate)


LogNormal = family(
    "LogNormal", "loc:real scale:positive", constraints.positive, "eˣ of a normal x.",
    kind=_Made, told=False,
    parts=lambda d, validate: (Normal(d.loc, d.scale, validate_args=validate), [ExpTransform()]),
    mean=lambda d: (d.loc + d.scale.pow(2) / 2).exp(),
    mode=lambda d: (d.loc - d.scale.square()).exp(),
    variance=lambda d: d.scale.pow(2).expm1() * (2 * d.loc + d.scale.pow(2)).exp(),
    entropy=lambda d: d.base_dist.entropy() + d.loc,
)  # fmt: skip


def _gumbel_parts(d: Any, validate: bool | None) -> tuple[Distribution, list[Transform]]:
    low = (d.loc * 0 + tiny(d.loc)).detach()
    base = Uniform(low, low * 0 + (1 - epsilon(low)), validate_args=validate)
    turned = AffineTransform(0, -(d.scale * 0 + 1))
    outer = AffineTransform(d.loc, -d.scale)
    return base, [ExpTransform().inv, turned, ExpTransform().inv, outer]


def _gumbel_log_prob(d: Any, x: Any) -> Any:
    y = (d.loc - x) / d.scale
    return (y - y.exp()) - d.scale.log()


Gumbel = family(
    "Gumbel", "loc:real scale:positive", constraints.real,
    "The largest of many numbers whose tails fall exponentially.",
    kind=_Made, parts=_gumbel_parts, log_prob=_gumbel_log_prob,
    mean=lambda d: d.loc + d.scale * EULER, mode=lambda d: d.loc,
    stddev=lambda d: (math.pi / math.sqrt(6)) * d.scale, variance=lambda d: d.stddev.pow(2),
    entropy=lambda d: d.scale.log() + (1 + EULER),
)  # fmt: skip

HalfNormal = family(
    "HalfNormal", "scale:positive", constraints.nonnegative, "|x| of a normal x of mean 0.",
    kind=_Made, told=False,
    parts=lambda d, validate: (Normal(0 * d.scale, d.scale, validate_args=False), [AbsTransform()]),
    mean=lambda d: d.scale * math.sqrt(2 / math.pi), mode=lambda d: 0 * d.scale,
    variance=lambda d: d.scale.pow(2) * (1 - 2 / math.pi),
    log_prob=lambda d, x: where(x >= 0, d.base_dist.log_prob(x) + math.log(2), -math.inf),
    cdf=lambda d, x: 2 * d.base_dist.cdf(x) - 1,
    icdf=lambda d, share: d.base_dist.icdf((share + 1) / 2),
    entropy=lambda d: d.base_dist.entropy() - math.log(2),
)  # fmt: skip


class _Relaxed(TransformedDistribution):
    def __init__(self, *given: Any, **named: Any) -> None:
        values = self._bound(given, named)
        base = LogitRelaxedBernoulli(**values)
        super().__init__(base, SigmoidTransform(), validate_args=values["validate_args"])


RelaxedBernoulli = family(
    "RelaxedBernoulli", "temperature: probs:unit_interval logits:real", constraints.unit_interval,
    "Numbers between 0 and 1, near them at low temperatures, whose samples pass gradients on.",
    kind=_Relaxed, defaults={"probs": None, "logits": None},
    temperature=lambda d: d.base_dist.temperature,
    probs=lambda d: d.base_dist.probs, logits=lambda d: d.base_dist.logits,
)  # fmt: skip


class MixtureSameFamily(Distribution):
    """A choice, by a Categorical, among the distributions of a batch's last dimension."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        for name, given, kind in (
            ("Mixture", mixture_distribution, Categorical),
            ("Component", component_distribution, Distribution),
        ):
            if not isinstance(given, kind):
                raise ValueError(
                    f"The {name} distribution needs to be an instance of "
                    f"torch.distributions.{kind.__name__}"
                )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        *batch, count = component_distribution.batch_shape
        shape = mixture_distribution.logits.shape
        sizes = zip(reversed(shape[:-1]), reversed(batch), strict=False)
        if shape[-1] != count or any(m not in (1, n) and n != 1 for m, n in sizes):
            raise ValueError(
                f"mixture_distribution of {tuple(shape)} probabilities does not fit "
                f"component_distribution, whose batch_shape is {(*batch, count)}"
            )
        self._events = len(component_distribution.event_shape)
        self._begin(batch, component_distribution.event_shape, validate_args=validate_args)

    mixture_distribution = property(lambda self: self._mixture_distribution)
    component_distribution = property(lambda self: self._component_distribution)

    def _inner_shape(self, inner: Any, shape: Size) -> Size:
        if inner is self._mixture_distribution:
            return shape
        return Size(shape + inner.batch_shape[-1:])

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the components."""
        return constraints.MixtureSameFamilyConstraint(self.component_distribution.support)

    def _weighted(self, values: Any) -> Any:
        probs = self.mixture_distribution.probs
        return (probs.reshape(probs.shape + (1,) * self._events) * values).sum(-1 - self._events)

    mean = property(lambda self: self._weighted(self.component_distribution.mean))

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        apart = self.component_distribution.mean - self.mean.unsqueeze(-1 - self._events)
        return self._weighted(self.component_distribution.variance + apart.pow(2.0))

    def _log_prob(self, value: Any) -> Any:
        found = self.component_distribution.log_prob(value.unsqueeze(-1 - self._events))
        weights = self.mixture_distribution.logits.log_softmax(-1)
        return (found + weights).logsumexp(-1)

    def _cdf(self, value: Any) -> Any:
        found = self.component_distribution.cdf(value.unsqueeze(-1 - self._events))
        return (found * self.mixture_distribution.probs).sum(-1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples without gradients."""
        with no_grad():
            chosen = self.mixture_distribution.sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            dim = len(tuple(sample_shape)) + len(self._batch_shape)
            places = chosen.reshape(chosen.shape + (1,) * (self._events + 1))
            places = places.expand((*drawn.shape[:dim], 1, *self._event_shape))
            out: Tensor = drawn.gather(dim, places).squeeze(dim)
        return out

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
        )


class MultivariateNormal(Distribution):
    """The normal distribution of vectors, by its covariance, its inverse, or its Cholesky factor.

    >>> MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

    has_rsample = True
    support = constraints.real_vector
    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip

    def __init__(
        self, loc: Tensor, covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None, scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = zip(_FACTORS, (covariance_matrix, precision_matrix, scale_tril), strict=True)
        matrices = [(name, each) for name, each in given if each is not None]
        if len(matrices) != 1:
            raise ValueError(f"Exactly one of {' or '.join(_FACTORS)} may be specified.")
        ((name, matrix),) = matrices
        if matrix.dim() < 2:
            raise ValueError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        self._begin(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factor = _FACTORS[name](matrix)

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        return self._of_batch(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The expected products of distances to the mean."""
        return self._of_batch(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        return self._of_batch(cholesky_inverse(self._factor))

    def _of_batch(self, matrix: Any) -> Any:
        return matrix.expand(self._batch_shape + matrix.shape[-2:])

    mean = mode = property(lambda self: self.loc)
    variance = property(lambda self: self._factor.pow(2).sum(-1).expand_as(self.loc))

    def _rsample(self, shape: Size) -> Any:
        eps = standard_normal(shape, self.loc)
        return self.loc + (self._factor @ eps.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Any:
        return self._factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def _log_prob(self, value: Any) -> Any:
        square = mahalanobis(self._factor, value - self.loc)
        n = self._event_shape[0]
        return -0.5 * (2 * HALF_LOG_2PI * n + square) - self._half_log_det()

    def _entropy(self) -> Any:
        found = self._event_shape[0] * (0.5 + HALF_LOG_2PI) + self._half_log_det()
        return found.expand(self._batch_shape)


def mahalanobis(factor: Tensor, x: Tensor) -> Tensor:
    """xᵀ (L Lᵀ)⁻¹ x, for the factors L and vectors x of a batch."""
    solved = solve_triangular(factor, x.unsqueeze(-1), upper=False).squeeze(-1)
    return solved.pow(2).sum(-1)


def _factor_of_inverse(matrix: Tensor) -> Tensor:
    """The Cholesky factor of P⁻¹."""
    flipped = linalg_cholesky(matrix.flip((-2, -1)))
    inverse = flipped.flip((-2, -1)).mT
    same = wrap(np.eye(matrix.shape[-1], dtype=matrix._array.dtype))
    return solve_triangular(inverse, same, upper=False)


_FACTORS: dict[str, Callable[[Any], Any]] = {
    "covariance_matrix": linalg_cholesky,
    "precision_matrix": _factor_of_inverse,
    "scale_tril": lambda matrix: matrix,
}
"""What may be given, and how it leads to the Cholesky factor of the covariance."""
