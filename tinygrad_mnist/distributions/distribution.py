"""What all distributions are: shapes, arguments, their validation, expanding, and sampling."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.autograd import enable_grad, no_grad
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.ops.random_factories import randn
from tinygrad_mnist.ops.shapes import broadcast_tensors

from . import constraints
from .constraints import Constraint

Shape = Any
Given = Tensor | float


def broadcast_all(*values: Given) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape; numbers take the type of the first tensor."""
    if not all(isinstance(value, Tensor | int | float | np.number) for value in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    kinds = [value.dtype for value in values if isinstance(value, Tensor)]
    kind = kinds[0] if kinds else dtypes.get_default_dtype()
    tensors = [v if isinstance(v, Tensor) else wrap(np.asarray(v, kind.numpy)) for v in values]
    return tuple(broadcast_tensors(*tensors))


class lazy_property:
    """A property that is computed once, when first asked for."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped, self.__doc__ = wrapped, wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


class Distribution:
    """The base of all distributions.

    A class says its parameters with their constraints, its support, and whether samples follow the
    parameters' gradients (`has_rsample`). Those of this package are rows of a table: `family`.
    """

    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    support: Any = None
    _validate_args = __debug__
    _defaults: ClassVar[dict[str, Any]] = {}
    """The arguments of a family, `...` where one has to be given."""
    _dims: ClassVar[tuple[int, int]] = 0, 0
    """Dimensions behind a batch's: of a family's parameters, and of its events."""
    _told: ClassVar[bool] = True
    """Whether it is printed with its parameters."""

    def __init__(self, *given: Any, **named: Any) -> None:
        if not self._defaults:
            self._begin(*given, **named)
            return
        values = self._bound(given, named)
        validate = values.pop("validate_args")
        shape = self._fill(values)
        behind, event = (len(shape) - dims for dims in self._dims)
        self._begin(shape[:behind], shape[event:], validate)
        if self._validate_args and (words := self._refused()):
            raise ValueError(words)

    def _bound(self, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a family by their names."""
        defaults = self._defaults | {"validate_args": None}
        values = defaults | dict(zip(defaults, given, strict=False)) | named
        if len(given) > len(defaults) or len(values) > len(defaults) or ... in values.values():
            raise TypeError(
                f"{type(self).__name__}() takes ({', '.join(defaults)}), not "
                f"{len(given)} arguments and {sorted(named)}"
            )
        return values

    def _fill(self, values: dict[str, Any]) -> Size:
        """Keep the parameters, in one shape, which is returned."""
        tensors = broadcast_all(*values.values())
        self.__dict__.update(zip(values, tensors, strict=True))
        if tensors[0].dim() < self._dims[0]:
            raise ValueError(f"`{next(iter(values))}` parameter must be at least one-dimensional.")
        return tensors[0].shape

    def _refused(self) -> str:
        """What is wrong with parameters that fit their constraints one by one."""
        return ""

    def _begin(
        self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        if type(self).arg_constraints is Distribution.arg_constraints:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = "
                "{}` or initialize the distribution with `validate_args=False` to turn off "
                "validation.",
                stacklevel=3,
            )
        for name, constraint in self.arg_constraints.items():
            lazy = isinstance(getattr(type(self), name, None), lazy_property)
            if constraints.is_dependent(constraint) or (lazy and name not in self.__dict__):
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} {_told(value)} of distribution {self!r} to satisfy "
                    f"the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Let all distributions check their arguments, or none, unless they are told."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters: so many distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters broadcast to a new `batch_shape`."""
        new, shape = self._instance(_instance), Size(batch_shape)
        for name, value in self.__dict__.items():
            new.__dict__[name] = value
            if isinstance(value, Distribution):
                new.__dict__[name] = value.expand(self._inner_shape(value, shape))
            elif name in self.arg_constraints and isinstance(value, Tensor):
                behind = value.shape[len(self._batch_shape) :]
                new.__dict__[name] = value.expand(shape + behind)
        new._batch_shape = shape
        return new

    def _inner_shape(self, inner: Any, shape: Size) -> Size:
        """The batch shape of a distribution that is a part of this one, for one of `shape`."""
        return shape

    def _instance(self, instance: Any) -> Any:
        kind = type(self)
        own = "__init__" in vars(kind) and "expand" not in vars(kind)
        if instance is None and own and not kind.__module__.startswith("tinygrad_mnist."):
            raise NotImplementedError(
                f"Subclass {kind.__name__} that defines a custom __init__ method must also define "
                "a custom .expand() method."
            )
        return kind.__new__(kind) if instance is None else instance

    def sample(self, sample_shape: Shape = ()) -> Any:
        """Samples of the shape `sample_shape` for each distribution, without gradients."""
        with no_grad():
            if self.has_rsample:
                return self.rsample(sample_shape)
            return self._sample(self._extended_shape(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Any:
        """Samples that follow the parameters' gradients."""
        return self._rsample(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Any:
        """ln of the density, or of the probability, at `value`."""
        value = self._given(value)
        self._validate_sample(value)
        return self._log_prob(value)

    def cdf(self, value: Tensor) -> Any:
        """The share below `value`."""
        self._validate_sample(value)
        return self._cdf(value)

    def icdf(self, value: Tensor) -> Any:
        """The number below which the share `value` lies."""
        return self._icdf(value)

    def entropy(self) -> Any:
        """−E ln p."""
        return self._entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values that a sample can have, along a new first dimension."""
        values = self._values()
        values = values.reshape((-1, *(1,) * len(self._batch_shape), *self._event_shape))
        return values.expand((-1, *self._batch_shape, *self._event_shape)) if expand else values

    def perplexity(self) -> Tensor:
        """e to the entropy."""
        out: Tensor = self.entropy().exp()
        return out

    def _given(self, value: Any) -> Any:
        """What `log_prob` takes, as a Tensor."""
        return value

    def _extended_shape(self, sample_shape: Shape = ()) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _validate_sample(self, value: Any) -> None:
        """Raise PyTorch's ValueError for a value that no sample can be."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        event = len(self._event_shape)
        if value.shape[value.dim() - event :] != self._event_shape:
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.size()} vs {self._event_shape}."
            )
        pairs = zip(reversed(value.shape), reversed(self._extended_shape()), strict=False)
        if any(i not in (1, j) and j != 1 for i, j in pairs):
            raise ValueError(
                f"Value is not broadcastable with batch_shape+event_shape: {value.size()} vs "
                f"{self._extended_shape()}."
            )
        support = self.support
        if support is None:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
        elif not support.check(value).all():
            raise ValueError(
                f"Expected value argument {_told(value)} to be within the support ({support!r}) of "
                f"the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            raise NotImplementedError(f"{type(self).__name__} has no {name.strip('_')}")
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__ and self._told]
        told = [(name, self.__dict__[name]) for name in names]
        shown = [f"{name}: {v if v.numel() == 1 else v.size()}" for name, v in told]
        return f"{type(self).__name__}({', '.join(shown)})"


def _told(value: Tensor) -> str:
    return f"({type(value).__name__} of shape {tuple(value.shape)})"


class ExponentialFamily(Distribution):
    """The distributions whose density is exp of a sum of products."""


_METHODS = (
    "cdf", "entropy", "fill", "given", "icdf", "log_prob", "parts", "refused", "rsample", "sample",
    "values",
)  # fmt: skip
_ABSENT = {"mean", "mode", "variance", *["_" + each for each in _METHODS]}
"""What a distribution may lack."""


def family(
    name: str, params: str, support: Any, says: str, *, kind: type = ExponentialFamily,
    told: bool = True, defaults: dict[str, Any] | None = None, **formulas: Callable[..., Any],
) -> type[Distribution]:  # fmt: skip
    """The class of a family of distributions, from a row of a table.

    `params` are its arguments with their constraints, "loc:real scale:positive"; an argument
    without one is kept as it is given. The formulas of moments take the distribution, the others
    a value or the shape of samples too; `values` are all that a sample can be.
    """
    pairs = [each.split(":") for each in params.split()]
    limits = {each: getattr(constraints, limit) for each, limit in pairs if limit}
    inside: dict[str, Any] = {
        "__doc__": says, "__module__": sys._getframe(1).f_globals["__name__"],
        "arg_constraints": limits, "support": support, "_told": told,
        "_defaults": dict.fromkeys([each for each, _ in pairs], ...) | (defaults or {}),
        "_dims": (max(each.event_dim for each in limits.values()), support.event_dim),
    }  # fmt: skip
    has = {"has_rsample": "rsample", "has_enumerate_support": "values"}
    inside |= {name: True for name, formula in has.items() if formula in formulas}
    for what, formula in formulas.items():
        is_method = what in _METHODS
        inside["_" * is_method + what] = formula if is_method else property(formula)
    return type(name, (kind,), inside)


# What samples are made of


def standard_normal(shape: Shape, like: Tensor) -> Tensor:
    """Normal numbers, of the type of `like`."""
    return randn(tuple(shape), dtype=like.dtype)


def uniform(shape: Shape, like: Tensor, low: float = 0.0) -> Tensor:
    """Uniform numbers from [low, 1), of the type of `like`."""
    return wrap(np.empty(tuple(shape), like._array.dtype)).uniform_(low, 1)


def epsilon(like: Tensor) -> float:
    """The distance from 1 to the next number of the type."""
    return float(np.finfo(like._array.dtype).eps)


def tiny(like: Tensor) -> float:
    """The smallest normal number of the type."""
    return float(np.finfo(like._array.dtype).tiny)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities, held away from 0 and 1."""
    eps = epsilon(probs)
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """ln p, of two outcomes ln(p / (1 − p))."""
    held = clamp_probs(probs)
    return held.log() - (-held).log1p() if is_binary else held.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The probabilities of logits."""
    return logits.sigmoid() if is_binary else F.softmax(logits, dim=-1)


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dimensions."""
    if dims == 0:
        return value
    kept = value.shape[: value.dim() - dims]
    return value.reshape((*kept, -1)).sum(-1)


HALF_LOG_2PI = math.log(2 * math.pi) / 2
EULER = 0.57721566490153286060
