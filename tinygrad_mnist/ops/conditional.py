"""Operations that choose among numbers: where, clamp, masked_fill."""

from __future__ import annotations

from typing import Any, overload

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_ternary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Operand
from tinygrad_mnist.kernels import elementwise

from .arguments import (
    check_fill_value,
    check_number_fits,
    check_tensors,
    not_implemented,
    operation,
)
from .casting import cast_to

_NUMBERS = (float, int)
_WIDE = frozenset((np.dtype(np.float32), np.dtype(np.float64)))


@primitive(grad_fn="WhereBackward0")
def _where(condition: Array, input: Array, other: Array) -> Any:
    """x where condition, y elsewhere"""
    return elementwise.choose(condition, input, other)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor | Array, input: Operand, other: Operand) -> Tensor: ...
@operation
def where(
    condition: Tensor | Array, input: Operand | None = None, other: Operand | None = None
) -> Tensor | tuple[Tensor, ...]:
    """`input` where `condition` holds, `other` elsewhere; all three broadcast.

    With the condition alone: the indices where it holds, one int64 tensor a dimension. Raises
    RuntimeError unless the condition is bool (or uint8).

    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    mask: Any = condition
    chosen: tuple[Any, Any] = (input, other)
    if isinstance(mask, Tensor) and isinstance(input, Tensor) and isinstance(other, Tensor):
        dtype = input._array.dtype
        if mask._array.dtype.kind == "b" and dtype is other._array.dtype:
            return call_ternary(_where, mask, input, other)
    elif isinstance(mask, Tensor) and mask._array.dtype.kind == "b":
        left: Any = fitting(input, other._array.dtype) if isinstance(other, Tensor) else input
        right: Any = fitting(other, input._array.dtype) if isinstance(input, Tensor) else other
        if left.__class__ is np.ndarray or right.__class__ is np.ndarray:
            return call_ternary(_where, mask, left, right)
    if not isinstance(mask, Tensor):
        if isinstance(mask, np.ndarray | np.generic):
            picked: Tensor = elementwise.choose(mask, *chosen)
            return picked
        check_tensors("where", condition=mask)
    if input is None and other is None:
        indices: tuple[Tensor, ...] = mask.nonzero(as_tuple=True)
        return indices
    if mask._array.dtype not in (np.bool_, np.uint8):
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{mask.dtype.legacy_name}"
        )
    for name, given in (("input", input), ("other", other)):
        if not isinstance(given, Tensor | bool | int | float | np.generic):
            check_tensors("where", **{name: given})
    values = [v._array if isinstance(v, Tensor) else v for v in chosen]
    kind = dtypes.promote(tuple(values))
    _check_numbers(values, kind)
    return call_ternary(_where, mask, _as_type(input, kind), _as_type(other, kind))


_where.derivatives(
    input=lambda g, condition: where(condition, g, 0.0),
    other=lambda g, condition: where(condition, 0.0, g),
)


def _check_numbers(values: list[Any], kind: dtypes.dtype) -> None:
    """RuntimeError unless the Python numbers among the values fit the type."""
    for value in values:
        if not isinstance(value, np.ndarray):
            check_number_fits(value, kind)


def fitting(number: Any, kind: np.dtype[Any]) -> Array | None:
    """A number that a float32 or float64 tensor meets, in that type; None for what needs care."""
    if number.__class__ in _NUMBERS and kind in _WIDE and -1e30 < number < 1e30:
        return np.array(number, kind)
    return None


def _as_type(value: Any, kind: dtypes.dtype) -> Any:
    if isinstance(value, Tensor):
        return cast_to(value, kind)
    return dtypes.cast(value, kind)


@primitive(grad_fn="ClampBackward1 ClampMinBackward0 ClampMaxBackward0")
def _clamp(input: Array, min: Any, max: Any) -> Any:
    """min(max(x, low), high)"""
    if getattr(min, "ndim", 0) == getattr(max, "ndim", 0) == 0 and input.__class__ is np.ndarray:
        return elementwise.clamp(input, min, max)
    raised = input if min is None else _held(np.maximum, input, min)
    return raised if max is None else _held(np.minimum, raised, max)


def _held(of: np.ufunc, x: Any, bound: Any) -> Any:
    """x held by a bound; of a 0 and a −0, a number as bound leaves x, a tensor does not.

    NumPy takes the second.
    """
    return of(x, bound) if getattr(bound, "ndim", 0) else of(bound, x)


def _within(x: Any, low: Any, high: Any) -> Any:
    """Where x lies between the bounds, the bounds included; None bounds nothing."""
    if low is None:
        return x <= high
    return x >= low if high is None else (x >= low) & (x <= high)


_clamp.derivatives(
    input=lambda g, input, min, max: where(_within(input, min, max), g, 0.0),
    min=lambda g, input, min, max: where(
        input < min if max is None else (input < min) & (min < max), g, 0.0
    ),
    max=lambda g, input, min, max: where(
        input > max if min is None else (input > max) | (max < min), g, 0.0
    ),
)


@operation
def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Each number held between `min` and `max` (numbers or tensors); None leaves a side open.

    Where `min` exceeds `max`, the result is `max`. Raises RuntimeError when both are None.

    >>> torch.clamp(torch.tensor([-2.0, 0.5, 9.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _clamped(input, min, max, "ClampBackward")


@operation
def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """Each number, but not less than `min`: `clamp` with one bound."""
    return _clamped(input, min, None, "ClampMinBackward")


@operation
def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """Each number, but not more than `max`: `clamp` with one bound."""
    return _clamped(input, None, max, "ClampMaxBackward")


def _clamped(input: Tensor, low: Any, high: Any, name: str) -> Tensor:
    kind = input._array.dtype
    least, most = fitting(low, kind), fitting(high, kind)
    if (least is None) is (low is None) and (most is None) is (high is None) and least is not most:
        out = call_ternary(_clamp, input, least, most)
        return named_as(out, "ClampBackward1" if name == "ClampBackward" else f"{name}0")
    given = [bound for bound in (low, high) if bound is not None]
    if not given:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    for bound in given:
        if not isinstance(bound, Tensor | bool | int | float | np.generic):
            raise TypeError(
                f"clamp(): 'min' and 'max' must be numbers or Tensors, not {type(bound).__name__}"
            )
    if len({isinstance(bound, Tensor) for bound in given}) > 1:
        raise TypeError("clamp(): 'min' and 'max' must be both numbers or both Tensors")
    values = [bound._array if isinstance(bound, Tensor) else bound for bound in given]
    common = dtypes.promote((input._array, *values))
    with_tensors = isinstance(given[0], Tensor)
    if common is dtypes.bool and not (with_tensors and len(given) == 1):
        raise not_implemented("clamp_cpu", common.numpy)
    _check_numbers(values, common)
    held = [bound if bound is None else _as_type(bound, common) for bound in (low, high)]
    which = str(int(with_tensors) if name != "ClampBackward" else int(not with_tensors))
    out = call_ternary(_clamp, cast_to(input, common), held[0], held[1])
    return named_as(out, name + which)


@operation
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`input` with `value` (a number or a 0-d tensor) where `mask` holds; both broadcast.

    Raises RuntimeError unless `mask` is bool, or when `value` does not fit the type.

    >>> torch.masked_fill(torch.tensor([1, 2]), torch.tensor([True, False]), 0)
    tensor([0, 2])
    """
    if mask._array.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{mask.dtype!r}".replace("torch.", "")
        )
    number = fitting(value, input._array.dtype)
    if number is not None:
        out = call_ternary(_where, mask, number, input)
        return named_as(out, "MaskedFillBackward0")
    kind = dtypes.from_numpy_dtype(input._array.dtype)
    check_fill_value("masked_fill", 3, value)
    if not isinstance(value, Tensor):
        check_number_fits(value, kind)
    name = f"MaskedFillBackward{int(isinstance(value, Tensor))}"
    out = call_ternary(_where, mask, _as_type(value, kind), input)
    return named_as(out, name)


clip = clamp
