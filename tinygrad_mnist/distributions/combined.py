"""Distributions made of others: transformed, mixed, counted as one; and of several dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    broadcast_all,
    epsilon,
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


class Independent(Distribution):
    """A distribution whose last batch dimensions count as dimensions of one event.

    >>> Independent(Normal(torch.zeros(3, 2), torch.ones(3, 2)), 1).log_prob(torch.zeros(3, 2))
    tensor([-1.8379, -1.8379, -1.8379])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

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
        self._begin(shape[:edge], shape[edge:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new, shape = self._instance(_instance), Size(batch_shape)
        n = self.reinterpreted_batch_ndims
        new.base_dist, new.reinterpreted_batch_ndims = (
            self.base_dist.expand(shape + self._event_shape[:n]), n)  # fmt: skip
        new._begin(shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    has_enumerate_support = property(
        lambda self: self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support
    )
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the base, for events of more dimensions."""
        n = self.reinterpreted_batch_ndims
        return constraints.independent(self.base_dist.support, n) if n else self.base_dist.support

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples without gradients."""
        out: Tensor = self.base_dist.sample(sample_shape)
        return out

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples that follow the parameters' gradients."""
        out: Tensor = self.base_dist.rsample(sample_shape)
        return out

    def log_prob(self, value: Tensor) -> Tensor:
        """ln of the density at `value`."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def _entropy(self) -> Any:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that a sample can have, along a new first dimension."""
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        out: Tensor = self.base_dist.enumerate_support(expand)
        return out

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(Distribution):
    """What becomes of a distribution's samples by `transforms`, one after the other."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, base_distribution: Any, transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(given, list | tuple) or not all(isinstance(t, Transform) for t in given):
            raise ValueError(
                f"transforms must be a Transform or list, but was {transforms}"
            )  # fmt: skip
        self.transforms = list(given)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        map = ComposeTransform(self.transforms)
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
        events = max(len(self.base_dist.event_shape) + map.codomain.event_dim
                     - map.domain.event_dim, map.codomain.event_dim)  # fmt: skip
        edge = len(ahead) - events
        self._begin(ahead[:edge], ahead[edge:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new, shape = self._instance(_instance), Size(batch_shape)
        new.transforms = self.transforms
        inner = ComposeTransform(self.transforms).inverse_shape(shape + self._event_shape)
        events = len(self.base_dist.event_shape)
        new.base_dist = self.base_dist.expand(inner[: len(inner) - events])
        new._begin(shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    has_rsample = property(lambda self: self.base_dist.has_rsample)

    @constraints.dependent_property
    def support(self) -> Any:
        """Where the last map leads to."""
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        lacking = len(self._event_shape) - found.event_dim
        return constraints.independent(found, lacking) if lacking > 0 else found

    def _mapped(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples without gradients."""
        with no_grad():
            out: Tensor = self._mapped(self.base_dist.sample(sample_shape))
        return out

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples that follow the parameters' gradients."""
        out: Tensor = self._mapped(self.base_dist.rsample(sample_shape))
        return out

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
        sign = math.prod([transform.sign for transform in self.transforms])
        if isinstance(sign, int) and sign == 1:
            return share
        return sign * (share - 0.5) + 0.5

    def _cdf(self, value: Any) -> Any:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._monotone(self.base_dist.cdf(value))

    def _icdf(self, value: Any) -> Any:
        return self._mapped(self.base_dist.icdf(self._monotone(value)))


class _Made(TransformedDistribution):
    """A family of transformed distributions: its parameters, and how they make base and maps."""

    def __init__(self, *given: Any, validate_args: bool | None = None, **named: Any) -> None:
        values = self._defaults | dict(zip(self._names, given, strict=False)) | named
        tensors = broadcast_all(*[values[name] for name in self._names])
        self.__dict__.update(zip(self._names, tensors, strict=True))
        base, transforms = self._parts(validate_args)
        super().__init__(base, transforms, validate_args=validate_args)

    def _parts(self, validate: bool | None) -> tuple[Any, list[Any]]:
        raise NotImplementedError

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        for name in self._names:
            new.__dict__[name] = self.__dict__[name].expand(Size(batch_shape))
        base, transforms = new._parts(False)
        TransformedDistribution.__init__(new, base, transforms, validate_args=False)
        new._validate_args = self._validate_args
        return new


class LogNormal(_Made, params="loc:real scale:positive", support=constraints.positive):
    """eˣ of a normal x."""

    _told = False
    mean = property(lambda self: (self.loc + self.scale.pow(2) / 2).exp())
    mode = property(lambda self: (self.loc - self.scale.square()).exp())

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        square = self.scale.pow(2)
        return square.expm1() * (2 * self.loc + square).exp()

    def _parts(self, validate: bool | None) -> tuple[Any, list[Any]]:
        return Normal(self.loc, self.scale, validate_args=validate), [ExpTransform()]

    def _entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc


class Gumbel(_Made, params="loc:real scale:positive", support=constraints.real):
    """The largest of many numbers whose tails fall exponentially."""

    mean = property(lambda self: self.loc + self.scale * EULER)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: (math.pi / math.sqrt(6)) * self.scale)
    variance = property(lambda self: self.stddev.pow(2))

    def _parts(self, validate: bool | None) -> tuple[Any, list[Any]]:
        eps, low = epsilon(self.loc), self.loc * 0 + tiny(self.loc)
        base = Uniform(low.detach(), (low * 0 + (1 - eps)).detach(), validate_args=validate)
        turned = AffineTransform(0, -(self.scale * 0 + 1))
        outer = AffineTransform(self.loc, -self.scale)
        return base, [ExpTransform().inv, turned, ExpTransform().inv, outer]

    def _log_prob(self, value: Any) -> Any:
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def _entropy(self) -> Any:
        return self.scale.log() + (1 + EULER)


class HalfNormal(_Made, params="scale:positive", support=constraints.nonnegative):
    """|x| of a normal x of mean 0."""

    _told = False
    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    mode = property(lambda self: 0 * self.scale)
    variance = property(lambda self: self.scale.pow(2) * (1 - 2 / math.pi))

    def _parts(self, validate: bool | None) -> tuple[Any, list[Any]]:
        return Normal(0 * self.scale, self.scale, validate_args=False), [AbsTransform()]

    def _log_prob(self, value: Any) -> Any:
        found = self.base_dist.log_prob(value) + math.log(2)
        return where(value >= 0, found, -math.inf)

    def _cdf(self, value: Any) -> Any:
        return 2 * self.base_dist.cdf(value) - 1

    def _icdf(self, value: Any) -> Any:
        return self.base_dist.icdf((value + 1) / 2)

    def _entropy(self) -> Any:
        return self.base_dist.entropy() - math.log(2)


class RelaxedBernoulli(TransformedDistribution, support=constraints.unit_interval):
    """Numbers between 0 and 1, near them at low temperatures, whose samples pass gradients on."""

    arg_constraints = LogitRelaxedBernoulli.arg_constraints

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    probs = property(lambda self: self.base_dist.probs)
    logits = property(lambda self: self.base_dist.logits)


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
        self._mixture_distribution = self.mixture_distribution = mixture_distribution
        self._component_distribution = self.component_distribution = component_distribution
        batch = component_distribution.batch_shape[:-1]
        for mine, other in zip(reversed(mixture_distribution.batch_shape), reversed(batch),
                               strict=False):  # fmt: skip
            if mine not in (1, other) and other != 1:
                raise ValueError(
                    f"`mixture_distribution.batch_shape` ({mixture_distribution.batch_shape}) is "
                    f"not compatible with `component_distribution.batch_shape`({batch})"
                )
        km = mixture_distribution.logits.shape[-1]
        kc = component_distribution.batch_shape[-1]
        if km != kc:
            raise ValueError(
                f"`mixture_distribution component` ({km}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({kc})"
            )
        self._events = len(component_distribution.event_shape)
        self._begin(batch, component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        shape = Size(batch_shape)
        count = self.component_distribution.batch_shape[-1]
        component = self.component_distribution.expand((*shape, count))
        mixture = self.mixture_distribution.expand(shape)
        return type(self)(mixture, component, validate_args=self._validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the components."""
        return self.component_distribution.support

    def _weighted(self, values: Any) -> Any:
        probs = self.mixture_distribution.probs
        return (probs.reshape(probs.shape + (1,) * self._events) * values).sum(-1 - self._events)

    mean = property(lambda self: self._weighted(self.component_distribution.mean))

    @property
    def variance(self) -> Any:
        """The expected square of the distance to the mean."""
        inside = self._weighted(self.component_distribution.variance)
        apart = self.component_distribution.mean - self.mean.unsqueeze(-1 - self._events)
        out: Tensor = inside + self._weighted(apart.pow(2.0))
        return out

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


class MultivariateNormal(Distribution, support=constraints.real_vector, reparametrized=True):
    """The normal distribution of vectors, by its covariance, its inverse, or its Cholesky factor.

    >>> MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))
    tensor(-1.8379)
    """

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
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
                 "scale_tril": scale_tril}  # fmt: skip
        matrices = [(name, each) for name, each in given.items() if each is not None]
        if len(matrices) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        ((name, matrix),) = matrices
        if matrix.dim() < 2:
            raise ValueError(
                f"{name} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        self._begin(batch, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._factor = matrix
        elif name == "covariance_matrix":
            self._factor = linalg_cholesky(matrix)
        else:
            self._factor = _factor_of_inverse(matrix)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = super().expand(batch_shape, _instance)
        new._factor = self._factor
        return new

    @lazy_property
    def scale_tril(self) -> Any:
        """The Cholesky factor of the covariance."""
        n = self._event_shape[0]
        return self._factor.expand((*self._batch_shape, n, n))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The expected products of distances to the mean."""
        n = self._event_shape[0]
        return (self._factor @ self._factor.mT).expand((*self._batch_shape, n, n))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance."""
        n = self._event_shape[0]
        return cholesky_inverse(self._factor).expand((*self._batch_shape, n, n))

    mean = mode = property(lambda self: self.loc)

    @property
    def variance(self) -> Any:
        """The diagonal of the covariance."""
        return self._factor.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

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
        n = self._event_shape[0]
        found = 0.5 * n * (1.0 + 2 * HALF_LOG_2PI) + self._half_log_det()
        return found.expand(self._batch_shape) if self._batch_shape else found


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
