"""The operators of Python on tensors: + − * / // % ** @ and elementwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.calls import call_binary, call_unary
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Index, Operand
from tinygrad_mnist.ops import arithmetic, elementwise, indexing, matmul

from .in_place import in_place, setitem
from .python_data import COMPLEX

_NUMBERS = (bool, int, float, np.generic)
_OPERANDS = (Tensor, *_NUMBERS)


def _neither(other: object) -> Tensor:
    """What an operator answers to other than tensors and numbers; complex numbers are refused."""
    if isinstance(other, complex):
        raise NotImplementedError(COMPLEX)
    return cast(Tensor, NotImplemented)


def _forward(op: Primitive, name: str) -> Any:
    def operator(self: Tensor, other: Operand) -> Tensor:
        if isinstance(other, Tensor) or isinstance(other, _NUMBERS):  # noqa: SIM101 (faster)
            return call_binary(op, self, other)
        return _neither(other)  # type: ignore[unreachable]

    operator.__name__ = operator.__qualname__ = name
    operator.__doc__ = op.says
    return operator


def _reflected(op: Primitive, name: str) -> Any:
    def operator(self: Tensor, other: Operand) -> Tensor:
        if isinstance(other, _OPERANDS):
            return call_binary(op, other, self)
        return _neither(other)  # type: ignore[unreachable]

    operator.__name__ = operator.__qualname__ = name
    operator.__doc__ = op.says
    return operator


def _composed(function: Callable[..., Tensor], name: str, reflected: bool = False) -> Any:
    """The operator for a function that is not itself a primitive."""

    def operator(self: Tensor, other: Operand) -> Tensor:
        if isinstance(other, _OPERANDS):
            return function(other, self) if reflected else function(self, other)
        return _neither(other)  # type: ignore[unreachable]

    operator.__name__ = operator.__qualname__ = name
    operator.__doc__ = function.__doc__
    return operator


def _assigned(op: Callable[..., Tensor], name: str) -> Any:
    def operator(self: Tensor, other: Operand) -> Tensor:
        if isinstance(other, _OPERANDS):
            return in_place(op, self, other)
        return _neither(other)  # type: ignore[unreachable]

    operator.__name__ = operator.__qualname__ = name
    operator.__doc__ = f"`{op.__name__}`, written into the tensor."
    return operator


class Operators(Tensor):
    """The operators of a tensor: `x + y`, `x @ y`, `x < y`, …"""

    __slots__ = ()

    __add__ = _forward(arithmetic._add, "__add__")
    __radd__ = _forward(arithmetic._add, "__radd__")
    __iadd__ = _assigned(arithmetic._add, "__iadd__")
    __sub__ = _forward(arithmetic._sub, "__sub__")
    __isub__ = _assigned(arithmetic._sub, "__isub__")
    __mul__ = _forward(arithmetic.mul, "__mul__")
    __rmul__ = _forward(arithmetic.mul, "__rmul__")
    __imul__ = _assigned(arithmetic.mul, "__imul__")
    __truediv__ = _forward(arithmetic._div, "__truediv__")
    __itruediv__ = _assigned(arithmetic._div, "__itruediv__")
    __floordiv__ = _forward(arithmetic.floor_divide, "__floordiv__")
    __rfloordiv__ = _reflected(arithmetic.floor_divide, "__rfloordiv__")
    __ifloordiv__ = _assigned(arithmetic.floor_divide, "__ifloordiv__")
    __mod__ = _composed(arithmetic.remainder, "__mod__")
    __rmod__ = _composed(arithmetic.remainder, "__rmod__", reflected=True)
    __imod__ = _assigned(arithmetic._remainder, "__imod__")
    __pow__ = _composed(arithmetic.pow, "__pow__")
    __rpow__ = _composed(arithmetic.pow, "__rpow__", reflected=True)
    __ipow__ = _assigned(arithmetic.pow, "__ipow__")
    __lshift__ = _composed(arithmetic.bitwise_left_shift, "__lshift__")
    __rlshift__ = _composed(arithmetic.bitwise_left_shift, "__rlshift__", reflected=True)
    __rshift__ = _composed(arithmetic.bitwise_right_shift, "__rshift__")
    __rrshift__ = _composed(arithmetic.bitwise_right_shift, "__rrshift__", reflected=True)
    __and__ = __rand__ = _forward(elementwise.bitwise_and, "__and__")
    __or__ = __ror__ = _forward(elementwise.bitwise_or, "__or__")
    __xor__ = __rxor__ = _forward(elementwise.bitwise_xor, "__xor__")
    __ilshift__ = _assigned(arithmetic.bitwise_left_shift, "__ilshift__")
    __irshift__ = _assigned(arithmetic.bitwise_right_shift, "__irshift__")
    __iand__ = _assigned(elementwise.bitwise_and, "__iand__")
    __ior__ = _assigned(elementwise.bitwise_or, "__ior__")
    __ixor__ = _assigned(elementwise.bitwise_xor, "__ixor__")
    __lt__ = _forward(elementwise.lt, "__lt__")
    __le__ = _forward(elementwise.le, "__le__")
    __gt__ = _forward(elementwise.gt, "__gt__")
    __ge__ = _forward(elementwise.ge, "__ge__")
    __ne__ = _forward(elementwise.ne, "__ne__")

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        """x == y; y may be a NumPy array, as PyTorch has it for no other comparison."""
        if isinstance(other, _OPERANDS):
            return call_binary(elementwise.eq, self, other)
        if isinstance(other, np.ndarray):
            return elementwise.eq(self, wrap(other))
        return _neither(other)

    def __hash__(self) -> int:
        return id(self)

    def __rsub__(self, other: float | Tensor) -> Tensor:
        """y − x"""
        return arithmetic.rsub(self, other) if isinstance(other, _OPERANDS) else _neither(other)

    def __rtruediv__(self, other: Operand | Array) -> Tensor:
        """y / x"""
        if not isinstance(other, (*_OPERANDS, np.ndarray)):
            return _neither(other)  # type: ignore[unreachable]
        inverse: Any = arithmetic.reciprocal(self)
        quotient: Tensor = inverse * other
        return quotient

    __rdiv__ = __rtruediv__

    def __matmul__(self, other: Tensor) -> Tensor:
        """The matrix product."""
        return matmul.matmul(self, other) if isinstance(other, Tensor) else NotImplemented

    def __rmatmul__(self, other: Tensor) -> Tensor:
        """The matrix product, this tensor on the right."""
        return matmul.matmul(other, self) if isinstance(other, Tensor) else NotImplemented

    def __neg__(self) -> Tensor:
        """−x"""
        return call_unary(arithmetic.neg, self)

    def __pos__(self) -> Tensor:
        """x"""
        return arithmetic.positive(self)

    def __abs__(self) -> Tensor:
        """|x|"""
        return arithmetic.abs(self)

    def __invert__(self) -> Tensor:
        """~x, bit by bit"""
        if self._array.dtype.kind in dtypes.FLOATS:
            raise TypeError(
                "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
            )
        return elementwise.bitwise_not(self)

    def __getitem__(self, index: Index) -> Tensor:
        """x[index]"""
        return indexing.getitem(self, index)

    def __setitem__(self, index: Index, value: Operand) -> None:
        """x[index] = value"""
        setitem(self, index, value)

    def __delitem__(self, index: Index) -> None:
        raise TypeError("Tensor does not support deleting items")

    def __contains__(self, element: object) -> bool:
        """Whether some number of the tensor equals `element`."""
        if not isinstance(element, _OPERANDS):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                f"{type(element)}."
            )
        return bool((self == element)._array.any())
