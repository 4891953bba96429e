"""Distributions of whole numbers and categories."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.ops.casting import cast_to
from tinygrad_mnist.ops.conditional import where
from tinygrad_mnist.ops.random_draws import binomial, poisson
from tinygrad_mnist.ops.random_factories import bernoulli, multinomial
from tinygrad_mnist.ops.shapes import broadcast_shapes
from tinygrad_mnist.ops.special import xlogy

from . import constraints
from .distribution import (
    Distribution,
    ExponentialFamily,
    Shape,
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    tiny,
    uniform,
)


class _Chances(Distribution):
    """Distributions given by probabilities or by logits; the other is computed when asked for."""

    _binary = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._begin(self._read(probs, logits).shape, validate_args=validate_args)

    def _read(self, probs: Any, logits: Any) -> Any:
        """Keep what is given; RuntimeError or ValueError unless it is one of the two."""
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        if self._binary:
            (given,) = broadcast_all(given)
        elif given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        elif name == "probs":
            given = given / given.sum(-1, keepdim=True)
        else:
            given = given - given.logsumexp(-1, keepdim=True)
        setattr(self, name, given)
        return given

    @property
    def _param(self) -> Any:
        return self.__dict__["probs"] if "probs" in self.__dict__ else self.__dict__["logits"]

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self._param.size()

    @lazy_property
    def probs(self) -> Any:
        """The probabilities."""
        return logits_to_probs(self.logits, self._binary)

    @lazy_property
    def logits(self) -> Any:
        """The logits."""
        return probs_to_logits(self.probs, self._binary)


_BINARY = {"probs": constraints.unit_interval, "logits": constraints.real}
_SHARES = {"probs": constraints.simplex, "logits": constraints.real_vector}


class Bernoulli(_Chances, ExponentialFamily, support=constraints.boolean):
    """1 with the probability `probs`, else 0.

    >>> _ = torch.manual_seed(0)
    >>> Bernoulli(torch.tensor([0.3])).sample()
    tensor([0.])
    """

    arg_constraints = _BINARY
    has_enumerate_support = True
    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    @property
    def mode(self) -> Any:
        """The more likely value, NaN where both are."""
        likely = cast_to(self.probs >= 0.5, self.probs.dtype)
        return where(self.probs == 0.5, math.nan, likely)

    def _sample(self, shape: Size) -> Any:
        return bernoulli(self.probs.expand(shape))

    def _log_prob(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def _entropy(self) -> Any:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def _values(self) -> Any:
        return wrap(np.arange(2, dtype=self._param._array.dtype))


class Geometric(_Chances, support=constraints.nonnegative_integer):
    """How many trials of the probability `probs` fail before the first success."""

    arg_constraints = _BINARY
    mean = property(lambda self: 1.0 / self.probs - 1.0)
    mode = property(lambda self: 0 * self.probs)
    variance = property(lambda self: (1.0 / self.probs - 1.0) / self.probs)

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ValueError(
                f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of "
                f"distribution {self!r} to be positive but found invalid values:\n{self.probs}"
            )

    def _sample(self, shape: Size) -> Any:
        u = uniform(shape, self.probs, tiny(self.probs))
        return (u.log() / (-self.probs.expand(shape)).log1p()).floor()

    def _log_prob(self, value: Any) -> Any:
        value, probs = broadcast_all(value, self.probs)
        probs = where((probs == 1) & (value == 0), 0.0, probs)
        return value * (-probs).log1p() + self.probs.log()

    def _entropy(self) -> Any:
        return (
            F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
            / self.probs
        )


class Categorical(_Chances):
    """One of the categories 0 to K − 1, by their probabilities along the last dimension.

    >>> Categorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor(1))
    tensor(-0.2877)
    """

    arg_constraints = _SHARES
    has_enumerate_support = True
    _binary = False

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        shape = self._read(probs, logits).shape
        self._num_events = shape[-1]
        self._begin(shape[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        """0 to K − 1."""
        return constraints.integer_interval(0, self._num_events - 1)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = super().expand(batch_shape, _instance)
        new._num_events = self._num_events
        return new

    mean = variance = property(
        lambda self: where(self.probs[..., 0] >= 0, math.nan, self.probs[..., 0])
    )
    mode = property(lambda self: self.probs.argmax(dim=-1))

    def _sample(self, shape: Size) -> Any:
        flat = self.probs.reshape(-1, self._num_events)
        count = math.prod(shape) // max(math.prod(self._batch_shape), 1)
        return multinomial(flat, count, True).T.reshape(shape)

    def _log_prob(self, value: Any) -> Any:
        value = value.long().unsqueeze(-1)
        lead = broadcast_shapes(value.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand((*lead, self._num_events))
        return logits.gather(-1, value.expand((*lead, 1))).squeeze(-1)

    def _entropy(self) -> Any:
        low = float(np.finfo(self.logits._array.dtype).min)
        return -(self.logits.clamp(min=low) * self.probs).sum(-1)

    def _values(self) -> Any:
        return wrap(np.arange(self._num_events))


class OneHotCategorical(Distribution, support=constraints.one_hot):
    """A 1 at one of K places, by their probabilities, and 0 elsewhere."""

    arg_constraints = _SHARES
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        self._begin(shape[:-1], shape[-1:], validate_args=validate_args)

    probs = mean = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    variance = property(lambda self: self.probs * (1 - self.probs))
    mode = property(lambda self: self._one_hot(self._categorical.mode))

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        new._categorical = self._categorical.expand(batch_shape)
        new._begin(batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _one_hot(self, places: Tensor) -> Tensor:
        hot = F.one_hot(places, self._event_shape[0])
        return cast_to(hot, self._categorical._param.dtype)

    def _sample(self, shape: Size) -> Any:
        return self._one_hot(self._categorical._sample(shape[:-1]))

    def _log_prob(self, value: Any) -> Any:
        return self._categorical.log_prob(value.argmax(-1))

    def _entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that a sample can have, along a new first dimension."""
        n = self._event_shape[0]
        values = self._one_hot(wrap(np.arange(n)))
        values = values.reshape((n, *(1,) * len(self._batch_shape), n))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class Poisson(
    ExponentialFamily, params="rate:nonnegative", support=constraints.nonnegative_integer
):
    """Counts of events of a `rate`."""

    mean = variance = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())

    def _sample(self, shape: Size) -> Any:
        return poisson(self.rate.expand(shape))

    def _log_prob(self, value: Any) -> Any:
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - (value + 1).lgamma()


def _least(logits: Tensor) -> Tensor:
    """max(x, 0), continued at 0 as PyTorch does: (x + |x|) / 2."""
    return (logits.clamp(min=0) + logits - logits.clamp(max=0)) / 2


class Binomial(_Chances):
    """How many of `total_count` trials of the probability `probs` succeed."""

    arg_constraints: ClassVar[dict[str, Any]] = {
        "total_count": constraints.nonnegative_integer,
        **_BINARY,
    }
    has_enumerate_support = True

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        given = self._read(probs, logits)
        name = "probs" if logits is None else "logits"
        count, given = broadcast_all(total_count, given)
        self.total_count = cast_to(count, given.dtype)
        setattr(self, name, given)
        self._begin(given.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        """0 to total_count."""
        return constraints.integer_interval(0, self.total_count)

    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    @property
    def mode(self) -> Any:
        """The most likely count."""
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    def _sample(self, shape: Size) -> Any:
        return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def _log_prob(self, value: Any) -> Any:
        n, x = self.total_count, self.logits
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return value * x - n * _least(x) - n * (-x.abs()).exp().log1p() + ways

    def _total(self) -> int:
        total = int(self.total_count.max())
        if not self.total_count.min() == total:
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `entropy` or `enumerate_support`."
            )
        return total

    def _entropy(self) -> Any:
        self._total()
        log_prob = self._log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def _values(self) -> Any:
        return wrap(np.arange(1 + self._total(), dtype=self._param._array.dtype))


class Multinomial(Distribution):
    """How often each of K categories occurs among `total_count`."""

    arg_constraints = _SHARES

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        self._begin(shape[:-1], shape[-1:], validate_args=validate_args)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    mean = property(lambda self: self.probs * self.total_count)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        new._categorical, new.total_count = self._categorical.expand(batch_shape), self.total_count
        new._begin(batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts that add up to total_count at most."""
        return constraints.multinomial(self.total_count)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Samples of the shape `sample_shape` for each distribution, without gradients."""
        drawn = self._categorical.sample((self.total_count, *sample_shape))
        shape = self._extended_shape(sample_shape)
        counts = np.zeros(tuple(shape), self._categorical._param._array.dtype)
        for each in drawn._array:
            places = np.indices(each.shape, sparse=True) if each.ndim else ()
            counts[(*places, each)] += 1
        return wrap(counts)

    def _log_prob(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        logits = where((value == 0) & (logits == -math.inf), 0.0, logits)
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + (logits * value).sum(-1)

    def _entropy(self) -> Any:
        n = wrap(np.asarray(self.total_count, self.probs._array.dtype))
        counts = Binomial(self.total_count, self.probs)
        values = counts.enumerate_support(False)[1:]
        weights = counts._log_prob(values).exp()
        spread = (weights * (values + 1).lgamma()).sum((0, -1))
        return n * self._categorical.entropy() - (n + 1).lgamma() + spread


class LogitRelaxedBernoulli(_Chances, support=constraints.real, reparametrized=True):
    """The logits of `RelaxedBernoulli`."""

    arg_constraints = _BINARY

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new = self._instance(_instance)
        new.temperature = self.temperature
        return super().expand(batch_shape, new)

    def _rsample(self, shape: Size) -> Any:
        probs = clamp_probs(self.probs.expand(shape))
        drawn = clamp_probs(uniform(shape, probs))
        odds = drawn.log() - (-drawn).log1p() + probs.log() - (-probs).log1p()
        return odds / self.temperature

    def _log_prob(self, value: Any) -> Any:
        logits, value = broadcast_all(self.logits, value)
        apart = logits - value.mul(self.temperature)
        temperature = broadcast_all(self.temperature, logits)[0]
        return temperature.log() + apart - 2 * apart.exp().log1p()
