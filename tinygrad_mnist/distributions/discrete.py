"""Distributions of whole numbers and categories: a table of their parameters and formulas."""

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
    broadcast_all,
    clamp_probs,
    family,
    lazy_property,
    logits_to_probs,
    probs_to_logits,
    tiny,
    uniform,
)


class Chances(Distribution):
    """Families given by `probs` or by `logits`; the other is computed when asked for."""

    _binary: ClassVar[bool] = True

    def _fill(self, values: dict[str, Any]) -> Size:
        """Keep what is given; ValueError unless it is one of the two."""
        probs, logits = values.pop("probs"), values.pop("logits")
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        self.__dict__.update(values)
        self.__dict__[name] = given = self._read(name, given)
        for each in values.keys() & self.arg_constraints.keys():
            other, self.__dict__[name] = broadcast_all(values[each], given)
            self.__dict__[each] = cast_to(other, given.dtype)
        return Size(self.param_shape)

    def _read(self, name: str, given: Any) -> Any:
        return broadcast_all(given)[0]

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


class _Shares(Chances):
    """Families given by the shares of K categories along the last dimension."""

    _binary = False

    def _read(self, name: str, given: Any) -> Any:
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if name == "probs":
            return given / given.sum(-1, keepdim=True)
        return given - given.logsumexp(-1, keepdim=True)

    @property
    def _num_events(self) -> int:
        return int(self.param_shape[-1])

    def _places(self, shape: Size) -> Any:
        """Categories that are drawn."""
        flat = self.probs.reshape(-1, self._num_events)
        count = math.prod(shape) // max(len(flat), 1)
        return multinomial(flat, count, True).T.reshape(shape)

    def _one_hot(self, places: Tensor) -> Tensor:
        return cast_to(F.one_hot(places, self._num_events), self._param.dtype)

    def _log_of(self, places: Any) -> Any:
        """ln of the shares of categories."""
        places = places.long().unsqueeze(-1)
        lead = broadcast_shapes(places.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand((*lead, self._num_events))
        return logits.gather(-1, places.expand((*lead, 1))).squeeze(-1)

    def _entropy(self) -> Any:
        low = float(np.finfo(self.logits._array.dtype).min)
        return -(self.logits.clamp(min=low) * self.probs).sum(-1)


_EITHER = {"probs": None, "logits": None}
_CHANCES, _SHARES = "probs:unit_interval logits:real", "probs:simplex logits:real_vector"


def _surprise(d: Any, x: Any) -> Any:
    """−ln of the probability of 0 and 1; between them both are weighted."""
    logits, x = broadcast_all(d.logits, x)
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


Bernoulli = family(
    "Bernoulli", _CHANCES, constraints.boolean,
    """1 with the probability `probs`, else 0.

    >>> _ = torch.manual_seed(0)
    >>> Bernoulli(torch.tensor([0.3])).sample()
    tensor([0.])
    """,
    kind=Chances, defaults=_EITHER,
    mean=lambda d: d.probs, variance=lambda d: d.probs * (1 - d.probs),
    mode=lambda d: where(d.probs == 0.5, math.nan, cast_to(d.probs >= 0.5, d.probs.dtype)),
    sample=lambda d, shape: bernoulli(d.probs.expand(shape)),
    log_prob=lambda d, x: -_surprise(d, x), entropy=lambda d: _surprise(d, d.probs),
    values=lambda d: wrap(np.arange(2, dtype=d._param._array.dtype)),
)  # fmt: skip


def _never(d: Any) -> str:
    if "logits" in d.__dict__ or (d.probs > 0).all():
        return ""
    return (f"Expected parameter probs (Tensor of shape {tuple(d.probs.shape)}) of distribution "
            f"{d!r} to be positive but found invalid values:\n{d.probs}")  # fmt: skip


def _geometric(d: Any, shape: Any) -> Any:
    u = uniform(shape, d.probs, tiny(d.probs))
    return (u.log() / (-d.probs.expand(shape)).log1p()).floor()


def _geometric_log_prob(d: Any, x: Any) -> Any:
    x, probs = broadcast_all(x, d.probs)
    probs = where((probs == 1) & (x == 0), 0.0, probs)
    return x * (-probs).log1p() + d.probs.log()


Geometric = family(
    "Geometric", _CHANCES, constraints.nonnegative_integer,
    "How many trials of the probability `probs` fail before the first success.",
    kind=Chances, defaults=_EITHER, refused=_never,
    mean=lambda d: 1.0 / d.probs - 1.0, mode=lambda d: 0 * d.probs,
    variance=lambda d: (1.0 / d.probs - 1.0) / d.probs,
    sample=_geometric, log_prob=_geometric_log_prob,
    entropy=lambda d: _surprise(d, d.probs) / d.probs,
)  # fmt: skip

Categorical = family(
    "Categorical", _SHARES,
    constraints.dependent_property(
        lambda d: constraints.integer_interval(0, d._num_events - 1), is_discrete=True),
    """One of the categories 0 to K − 1, by their probabilities along the last dimension.

    >>> Categorical(torch.tensor([0.25, 0.75])).log_prob(torch.tensor(1))
    tensor(-0.2877)
    """,
    kind=_Shares, defaults=_EITHER,
    mean=lambda d: d.probs[..., 0] * math.nan, variance=lambda d: d.probs[..., 0] * math.nan,
    mode=lambda d: d.probs.argmax(dim=-1), sample=_Shares._places, log_prob=_Shares._log_of,
    values=lambda d: wrap(np.arange(d._num_events)),
)  # fmt: skip

OneHotCategorical = family(
    "OneHotCategorical", _SHARES, constraints.one_hot,
    "A 1 at one of K places, by their probabilities, and 0 elsewhere.",
    kind=_Shares, defaults=_EITHER, told=False,
    mean=lambda d: d.probs, variance=lambda d: d.probs * (1 - d.probs),
    mode=lambda d: d._one_hot(d.probs.argmax(dim=-1)),
    sample=lambda d, shape: d._one_hot(d._places(shape[:-1])),
    log_prob=lambda d, x: d._log_of(x.argmax(-1)),
    values=lambda d: d._one_hot(wrap(np.arange(d._num_events))),
)  # fmt: skip


def _poisson_log_prob(d: Any, x: Any) -> Any:
    rate, x = broadcast_all(d.rate, x)
    return xlogy(x, rate) - rate - (x + 1).lgamma()


Poisson = family(
    "Poisson", "rate:nonnegative", constraints.nonnegative_integer, "Counts of events of a `rate`.",
    mean=lambda d: d.rate, variance=lambda d: d.rate, mode=lambda d: d.rate.floor(),
    sample=lambda d, shape: poisson(d.rate.expand(shape)), log_prob=_poisson_log_prob,
)  # fmt: skip


def _binomial_log_prob(d: Any, x: Any) -> Any:
    """Of max(logit, 0) in PyTorch's way at 0: (x + |x|) / 2."""
    n, logits = d.total_count, d.logits
    ways = (n + 1).lgamma() - (x + 1).lgamma() - (n - x + 1).lgamma()
    above = (logits.clamp(min=0) + logits - logits.clamp(max=0)) / 2
    return x * logits - n * above - n * (-logits.abs()).exp().log1p() + ways


def _counts(d: Any) -> Any:
    total = int(d.total_count.max())
    if not d.total_count.min() == total:
        raise NotImplementedError(
            "Inhomogeneous total count not supported by `entropy` or `enumerate_support`."
        )
    return wrap(np.arange(1 + total, dtype=d._param._array.dtype))


def _binomial_entropy(d: Any) -> Any:
    log_prob = d._log_prob(d.enumerate_support(False))
    return -(log_prob.exp() * log_prob).sum(0)


Binomial = family(
    "Binomial", "total_count:nonnegative_integer " + _CHANCES,
    constraints.dependent_property(
        lambda d: constraints.integer_interval(0, d.total_count), is_discrete=True),
    "How many of `total_count` trials of the probability `probs` succeed.",
    kind=Chances, defaults={"total_count": 1} | _EITHER,
    mean=lambda d: d.total_count * d.probs,
    mode=lambda d: ((d.total_count + 1) * d.probs).floor().minimum(d.total_count),
    variance=lambda d: d.total_count * d.probs * (1 - d.probs),
    sample=lambda d, shape: binomial(d.total_count.expand(shape), d.probs.expand(shape)),
    log_prob=_binomial_log_prob, entropy=_binomial_entropy, values=_counts,
)  # fmt: skip


def _multinomial(d: Any, shape: Any) -> Any:
    counts = np.zeros(tuple(shape), d._param._array.dtype)
    for each in d._places(Size((d.total_count, *shape[:-1])))._array:
        places = np.indices(each.shape, sparse=True) if each.ndim else ()
        counts[(*places, each)] += 1
    return wrap(counts)


def _multinomial_log_prob(d: Any, x: Any) -> Any:
    logits, x = broadcast_all(d.logits, x)
    logits = where((x == 0) & (logits == -math.inf), 0.0, logits)
    return (x.sum(-1) + 1).lgamma() - (x + 1).lgamma().sum(-1) + (logits * x).sum(-1)


def _multinomial_entropy(d: Any) -> Any:
    counts = Binomial(d.total_count, d.probs)
    values = counts.enumerate_support(False)[1:]
    spread = (counts._log_prob(values).exp() * (values + 1).lgamma()).sum((0, -1))
    return d.total_count * _Shares._entropy(d) - math.lgamma(d.total_count + 1) + spread


def _whole_count(d: Any, values: Any) -> Any:
    if not isinstance(values["total_count"], int):
        raise NotImplementedError("inhomogeneous total_count is not supported")
    return _Shares._fill(d, values)


Multinomial = family(
    "Multinomial", "total_count: " + _SHARES,
    constraints.dependent_property(
        lambda d: constraints.multinomial(d.total_count), is_discrete=True, event_dim=1),
    "How often each of K categories occurs among `total_count`.",
    kind=_Shares, defaults={"total_count": 1} | _EITHER, told=False, fill=_whole_count,
    mean=lambda d: d.probs * d.total_count,
    variance=lambda d: d.total_count * d.probs * (1 - d.probs),
    sample=_multinomial, log_prob=_multinomial_log_prob, entropy=_multinomial_entropy,
)  # fmt: skip


def _relaxed(d: Any, shape: Any) -> Any:
    probs = clamp_probs(d.probs.expand(shape))
    drawn = clamp_probs(uniform(shape, probs))
    odds = drawn.log() - (-drawn).log1p() + probs.log() - (-probs).log1p()
    return odds / d.temperature


def _relaxed_log_prob(d: Any, x: Any) -> Any:
    logits, x = broadcast_all(d.logits, x)
    apart = logits - x.mul(d.temperature)
    return broadcast_all(d.temperature, logits)[0].log() + apart - 2 * apart.exp().log1p()


LogitRelaxedBernoulli = family(
    "LogitRelaxedBernoulli", "temperature: " + _CHANCES, constraints.real,
    "The logits of `RelaxedBernoulli`.", kind=Chances, defaults=_EITHER,
    rsample=_relaxed, log_prob=_relaxed_log_prob,
)  # fmt: skip
