"""`torch.distributions.constraints`: what parameters and samples must satisfy.

>>> from tinygrad_mnist.distributions import constraints
>>> constraints.unit_interval.check(torch.tensor([0.5, 2.0]))
tensor([ True, False])
>>> constraints.greater_than(0.0)
GreaterThan(lower_bound=0.0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops.linear_algebra import cholesky_ex

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "dependent",
    "dependent_property", "greater_than", "greater_than_eq",
    "independent", "integer_interval", "interval", "is_dependent", "lower_cholesky", "multinomial",
    "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite",
    "positive_integer", "real", "real_vector", "simplex", "unit_interval",
]  # fmt: skip


class Constraint:
    """A region of numbers, or of vectors or matrices of `event_dim` dimensions."""

    is_discrete: bool = False
    event_dim: int = 0
    _bounds: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *bounds: Any) -> None:
        self.__dict__.update(zip(self._bounds, bounds, strict=True))

    def check(self, value: Tensor) -> Tensor:
        """Where `value` satisfies it, a bool for each event."""
        raise NotImplementedError

    def __repr__(self) -> str:
        told = [] if self.is_discrete and self.event_dim else self._bounds
        named = ", ".join(f"{name}={getattr(self, name)}" for name in told)
        return f"{type(self).__name__.lstrip('_')}({named})"


def _region(
    name: str, check: Callable[[Any, Any], Any], bounds: str = "", discrete: bool = False,
    event_dim: int = 0,
) -> type[Constraint]:  # fmt: skip
    """The class of a region, called `name`, with its `bounds`."""
    inside = {"check": check, "is_discrete": discrete, "event_dim": event_dim,
              "_bounds": tuple(bounds.split()), "__doc__": name}  # fmt: skip
    return type("_" + name, (Constraint,), inside)


def _is_lower(value: Tensor) -> Tensor:
    return (value.tril() == value).flatten(-2).all(-1)


def _is_definite(self: Any, value: Tensor) -> Tensor:
    symmetric = ((value - value.mT).abs() <= 1e-6).flatten(-2).all(-1)  # fmt: skip
    return symmetric & (cholesky_ex(value).info == 0)  # fmt: skip


_LOWER, _BOTH = "lower_bound", "lower_bound upper_bound"
greater_than = _region("GreaterThan", lambda self, v: v > self.lower_bound, _LOWER)
greater_than_eq = _region("GreaterThanEq", lambda self, v: v >= self.lower_bound, _LOWER)
_integer_greater_than = _region(
    "IntegerGreaterThan", lambda self, v: (v % 1 == 0) & (v >= self.lower_bound), _LOWER, True
)
interval = _region(
    "Interval", lambda self, v: (self.lower_bound <= v) & (v <= self.upper_bound), _BOTH
)
integer_interval = _region(
    "IntegerInterval",
    lambda self, v: (v % 1 == 0) & (self.lower_bound <= v) & (v <= self.upper_bound),
    _BOTH,
    True,
)
multinomial = _region(
    "Multinomial",
    lambda self, v: (v >= 0).all(-1) & (v.sum(-1) <= self.upper_bound),
    "upper_bound",
    True,
    1,
)
real = _region("Real", lambda self, v: v == v)()
boolean = _region("Boolean", lambda self, v: (v == 0) | (v == 1), "", True)()
simplex = _region(
    "Simplex", lambda self, v: (v >= 0).all(-1) & ((v.sum(-1) - 1).abs() < 1e-6), event_dim=1
)()
one_hot = _region(
    "OneHot", lambda self, v: ((v == 0) | (v == 1)).all(-1) & (v.sum(-1) == 1), "", True, 1
)()
positive_definite = _region("PositiveDefinite", _is_definite, event_dim=2)()
lower_cholesky = _region(
    "LowerCholesky",
    lambda self, v: _is_lower(v) & (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1),
    event_dim=2,
)()
unit_interval = interval(0.0, 1.0)
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
nonnegative_integer, positive_integer = _integer_greater_than(0), _integer_greater_than(1)


class independent(Constraint):
    """Holds where `base_constraint` holds for all of the last dimensions."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        """Where `value` satisfies it."""
        result = self.base_constraint.check(value)
        if value.dim() < self.event_dim:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        kept = result.shape[: result.dim() - self.reinterpreted_batch_ndims]
        return result.reshape((*kept, -1)).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


def widened(constraint: Any, dims: int) -> Any:
    """A constraint of events that have so many dimensions more."""
    return independent(constraint, dims) if dims > 0 else constraint


real_vector, _positive_vector = independent(real, 1), independent(positive, 1)


class MixtureSameFamilyConstraint(Constraint):
    """Holds where `base_constraint` does of all components of a mixture."""

    def __init__(self, base_constraint: Constraint) -> None:
        self.base_constraint = base_constraint
        self.is_discrete, self.event_dim = base_constraint.is_discrete, base_constraint.event_dim

    def check(self, value: Tensor) -> Tensor:
        """Where `value` satisfies it."""
        return self.base_constraint.check(value.unsqueeze(-1 - self.event_dim)).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class dependent_property(property, Constraint):
    """A constraint that depends on the other parameters: a property of the distribution."""

    def __init__(self, fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__(fn)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, fn: Any) -> dependent_property:
        """The property of `fn`: for a decorator with arguments."""
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


dependent = dependent_property()


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, dependent_property)
