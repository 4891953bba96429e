"""`torch.distributions.transforms`: maps with their inverses and the logarithms of their stretch.

>>> from tinygrad_mnist.distributions.transforms import ExpTransform
>>> ExpTransform().inv(torch.tensor([1.0, torch.e]))
tensor([0., 1.])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.nn import functional as F

from . import constraints
from .constraints import Constraint
from .distribution import clamp_probs, sum_rightmost, tiny

__all__ = [
    "AbsTransform", "AffineTransform", "ComposeTransform", "ExpTransform", "IndependentTransform",
    "PowerTransform", "SigmoidTransform", "SoftplusTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip


class Transform:
    """A map y = f(x) from `domain` to `codomain`; with `cache_size=1` the last pair is kept."""

    bijective: bool = False
    domain: Any = constraints.real
    codomain: Any = constraints.real
    _sign: ClassVar[int | None] = 1
    _fields: ClassVar[tuple[str, ...] | None] = None
    """What equal maps have in common; only one and the same are equal where this is None."""
    inverse_of: Transform | None = None

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._pair: tuple[Any, Any] = (None, None)

    @property
    def event_dim(self) -> int:
        """The dimensions of what it maps."""
        return int(max(self.domain.event_dim, self.codomain.event_dim))

    @property
    def sign(self) -> Any:
        """1 where it rises, −1 where it falls."""
        if self._sign is None:
            raise NotImplementedError
        return self._sign

    @property
    def inv(self) -> Transform:
        """The inverse map."""
        return _InverseTransform(self)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same map that keeps the last pair."""
        if self._cache_size == cache_size:
            return self
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__, _cache_size=cache_size, _pair=(None, None))
        return new

    def __call__(self, x: Tensor) -> Any:
        """y = f(x)"""
        return self._kept(0, x, self._call)

    def _inv_call(self, y: Tensor) -> Any:
        return self._kept(1, y, self._inverse)

    def _kept(self, place: int, given: Tensor, of: Callable[[Tensor], Any]) -> Any:
        """The other half of the last pair if `given` is one, else what `of` makes of it."""
        if self._cache_size and self._pair[place] is given:
            return self._pair[1 - place]
        found = of(given)
        if self._cache_size:
            self._pair = (found, given) if place else (given, found)
        return found

    def _absent(self, *values: Any, **named: Any) -> Any:
        raise NotImplementedError

    _call = _inverse = _stretch = _absent

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        """ln |det(dy / dx)|"""
        return self._stretch(x, y)

    def forward_shape(self, shape: Any) -> Any:
        """The shape of y for one of x."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of x for one of y."""
        return shape

    def __eq__(self, other: object) -> bool:
        if self._fields is None or not isinstance(other, type(self)):
            return self is other
        return all(_same(getattr(self, each), getattr(other, each)) for each in self._fields)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _same(a: Any, b: Any) -> bool:
    found = a == b
    return bool(found.all() if isinstance(found, Tensor) else found)


class _InverseTransform(Transform):
    _fields = ("_of",)

    def __init__(self, of: Transform) -> None:
        super().__init__()
        self._of = self.inverse_of = of
        self.domain, self.codomain, self.bijective = of.codomain, of.domain, of.bijective

    inv = property(lambda self: self._of)
    sign = property(lambda self: self._of.sign)

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self._of.with_cache(cache_size).inv

    def __call__(self, x: Tensor) -> Any:
        return self._of._inv_call(x)

    def _inv_call(self, y: Tensor) -> Any:
        return self._of(y)

    def _stretch(self, x: Any, y: Any) -> Any:
        return -self._of.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._of.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._of.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self._of!r})"


def _map(
    name: str, says: str, call: Callable[..., Any], inverse: Callable[..., Any] | None = None,
    stretch: Callable[..., Any] | None = None, codomain: Constraint = constraints.real,
    domain: Constraint = constraints.real,
) -> Any:  # fmt: skip
    """The class of a map without parameters."""
    inside: dict[str, Any] = {
        "_call": lambda self, x: call(x), "bijective": stretch is not None, "domain": domain,
        "codomain": codomain, "__doc__": says, "__module__": __name__, "_fields": (),
    }  # fmt: skip
    if inverse is not None:
        inside["_inverse"] = lambda self, y: inverse(y)
    if stretch is not None:
        inside["_stretch"] = lambda self, x, y: stretch(x, y)
    else:
        inside["_sign"] = None
    return type(name, (Transform,), inside)


def _logit(y: Any) -> Any:
    held = y.clamp(min=tiny(y), max=1 - float(np.finfo(y._array.dtype).eps))
    return held.log() - (-held).log1p()


ExpTransform = _map("ExpTransform", "y = eˣ", lambda x: x.exp(), lambda y: y.log(),
                    lambda x, y: x, constraints.positive)  # fmt: skip
SigmoidTransform = _map(
    "SigmoidTransform", "y = 1 / (1 + e⁻ˣ)", lambda x: clamp_probs(x.sigmoid()), _logit,
    lambda x, y: -F.softplus(-x) - F.softplus(x), constraints.unit_interval,
)  # fmt: skip
TanhTransform = _map(
    "TanhTransform", "y = tanh x", lambda x: x.tanh(), lambda y: y.atanh(),
    lambda x, y: 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x)), constraints.interval(-1.0, 1.0),
)  # fmt: skip
SoftplusTransform = _map(
    "SoftplusTransform", "y = ln(1 + eˣ)", F.softplus, lambda y: (-y).expm1().neg().log() + y,
    lambda x, y: -F.softplus(-x), constraints.positive,
)  # fmt: skip
AbsTransform = _map("AbsTransform", "y = |x|", lambda x: x.abs(), lambda y: y,
                    codomain=constraints.positive)  # fmt: skip


class AffineTransform(Transform):
    """y = loc + scale · x"""

    _fields = ("loc", "scale")
    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        self.domain = self.codomain = constraints.widened(constraints.real, event_dim)

    @property
    def sign(self) -> Any:
        """The sign of `scale`."""
        return self.scale.sign() if isinstance(self.scale, Tensor) else int(np.sign(self.scale))

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def _stretch(self, x: Any, y: Any) -> Any:
        size = abs(self.scale)
        found = size.log() if isinstance(size, Tensor) else math.log(size)
        return sum_rightmost(x.new_zeros(x.shape) + found, self.event_dim)


class PowerTransform(Transform):
    """y = x^exponent"""

    _fields = ("exponent",)
    bijective = True
    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent if isinstance(exponent, Tensor) else wrap(
            np.asarray(exponent, np.float32))  # fmt: skip

    sign = property(lambda self: self.exponent.sign())

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def _stretch(self, x: Any, y: Any) -> Any:
        return (self.exponent * y / x).abs().log()


class IndependentTransform(Transform):
    """A map whose last dimensions count as one event."""

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.domain, self.codomain = (
            constraints.independent(each, reinterpreted_batch_ndims)
            for each in (base_transform.domain, base_transform.codomain)
        )

    sign = property(lambda self: self.base_transform.sign)

    def _call(self, x: Any) -> Any:
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        return self.base_transform.inv(y)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"

    def _stretch(self, x: Any, y: Any) -> Any:
        found = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(found, self.reinterpreted_batch_ndims)


class ComposeTransform(Transform):
    """Several maps, one after the other."""

    _fields = ("parts",)

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)
        self.bijective = all(part.bijective for part in self.parts)
        if self.parts:
            events = max(part.event_dim for part in self.parts)
            self.domain, self.codomain = (
                constraints.widened(each, events - each.event_dim)
                for each in (self.parts[0].domain, self.parts[-1].codomain)
            )

    @property
    def sign(self) -> Any:
        """The product of the maps' signs."""
        return math.prod([part.sign for part in self.parts])

    def _call(self, x: Any) -> Any:
        return functools.reduce(lambda y, part: part(y), self.parts, x)

    def _inverse(self, y: Any) -> Any:
        return functools.reduce(lambda x, part: part.inv(x), reversed(self.parts), y)

    def _stretch(self, x: Any, y: Any) -> Any:
        if not self.parts:
            return x * 0
        total: Any = 0
        for number, part in enumerate(self.parts, 1):
            following = y if number == len(self.parts) else part(x)
            found = part.log_abs_det_jacobian(x, following)
            total = total + sum_rightmost(found, self.event_dim - part.event_dim)
            x = following
        return total

    def forward_shape(self, shape: Any) -> Any:
        """The shape of y for one of x."""
        return functools.reduce(lambda y, part: part.forward_shape(y), self.parts, shape)

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of x for one of y."""
        return functools.reduce(lambda x, part: part.inverse_shape(x), self.parts[::-1], shape)

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


identity_transform = ComposeTransform([])
