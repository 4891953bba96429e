"""The data types of tensors, and PyTorch's rules for combining them.

Everything about types is settled here, before an operation computes: its body and its
derivative formulas then see arrays of one type. float16 and bfloat16 are stored as such; what is
computed with them is computed in float32 and rounded (`widened`, `narrowed`).
"""

from __future__ import annotations

import builtins
import math
from typing import Any, Final, Protocol

import numpy as np

Number = builtins.bool | int | float
Array = np.ndarray[Any, Any]


class dtype:
    """A data type; there is one object for each, printed as PyTorch prints it.

    >>> torch.float32
    torch.float32
    >>> torch.float64.itemsize, torch.int64.is_floating_point
    (8, False)
    """

    __slots__ = ("category", "is_floating_point", "itemsize", "legacy_name", "name", "numpy")

    name: str
    legacy_name: str
    numpy: np.dtype[Any]
    category: int
    itemsize: int
    is_floating_point: builtins.bool
    is_complex: Final = False

    def __init__(self, name: str, legacy_name: str, category: int) -> None:
        self.name = name
        self.legacy_name = legacy_name
        self.category = category
        self.is_floating_point = category == FLOATING
        if name in _NARROW_NAMES:
            self.itemsize = 2
        else:
            self.numpy = np.dtype(name)
            self.itemsize = self.numpy.itemsize

    def __getattr__(self, name: str) -> np.dtype[Any]:
        if name == "numpy":
            return _use(self)
        raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")

    @property
    def cpp_name(self) -> str:
        """The type's name in C++, which some of PyTorch's messages give."""
        return _CPP_NAMES.get(self.name, self.name)

    @property
    def is_signed(self) -> builtins.bool:
        """Whether the type holds negative numbers."""
        return self.is_floating_point or self.numpy.kind == "i"

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    def to_complex(self) -> dtype:
        """Refused: complex numbers are not carried."""
        raise NotImplementedError(
            "complex tensors are not supported: keep real and imaginary parts as two real tensors"
        )


BOOLEAN, INTEGRAL, FLOATING = range(3)
_NARROW_NAMES = ("float16", "bfloat16")
_CPP_NAMES = {
    "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "int64_t", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "float32": "float", "float64": "double",
}  # fmt: skip

bool = dtype("bool", "Bool", BOOLEAN)
uint8 = dtype("uint8", "Byte", INTEGRAL)
int8 = dtype("int8", "Char", INTEGRAL)
int16 = dtype("int16", "Short", INTEGRAL)
int32 = dtype("int32", "Int", INTEGRAL)
int64 = dtype("int64", "Long", INTEGRAL)
float16 = dtype("float16", "Half", FLOATING)
bfloat16 = dtype("bfloat16", "BFloat16", FLOATING)
float32 = dtype("float32", "Float", FLOATING)
float64 = dtype("float64", "Double", FLOATING)

_ALL = (bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
_FROM_NUMPY = {each.numpy: each for each in _ALL if each.name not in _NARROW_NAMES}
_default = float32

FLOATS = "fV"
"""The kinds of NumPy's floating-point types: V is that of bfloat16, which `ml_dtypes` adds."""
NARROW: set[np.dtype[Any]] = set()
"""NumPy's types for float16 and bfloat16, of those that the program has used: none costs nothing.
Arrays of them are kept, and never computed with."""


def _use(kind: dtype) -> np.dtype[Any]:
    """NumPy's type for float16 or bfloat16, from its first use on."""
    if kind is float16:
        kind.numpy = np.dtype(np.float16)
    else:
        import ml_dtypes

        kind.numpy = np.dtype(ml_dtypes.bfloat16)
    _FROM_NUMPY[kind.numpy] = kind
    NARROW.add(kind.numpy)
    return kind.numpy


def widened(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], np.dtype[Any] | None]:
    """The values, float16 and bfloat16 among them in float32; and the type to round results to.

    That is their common type if all floating-point arrays have it, else None.
    """
    kinds = {v.dtype for v in values if isinstance(v, np.ndarray) and v.dtype.kind in FLOATS}
    if NARROW.isdisjoint(kinds):
        return values, None
    wide = [
        v.astype(np.float32) if isinstance(v, np.ndarray) and v.dtype in NARROW else v
        for v in values
    ]
    return tuple(wide), kinds.pop() if len(kinds) == 1 else None


def narrowed(out: Any, kind: np.dtype[Any] | None) -> Any:
    """A result computed in float32, rounded to `kind` unless that is None."""
    return out if kind is None or out.dtype != np.float32 else out.astype(kind)


def digits(kind: np.dtype[Any]) -> int:
    """How many binary digits a floating-point type has, with the one that is not stored."""
    return {"float16": 11, "bfloat16": 8, "float32": 24}.get(kind.name, 53)


def from_numpy_dtype(numpy_dtype: np.dtype[Any]) -> dtype:
    """The tensor type that holds arrays of `numpy_dtype`; TypeError when there is none."""
    try:
        return _FROM_NUMPY[numpy_dtype]
    except KeyError:
        if numpy_dtype == np.float16:
            return _FROM_NUMPY[float16.numpy]
        names = ", ".join(each.name for each in _ALL)
        raise TypeError(
            f"can't convert np.ndarray of type {numpy_dtype}. The only supported types are: "
            f"{names}. Convert it first, for example array.astype(np.float32)."
        ) from None


def get_default_dtype() -> dtype:
    """The type of floating-point tensors made from Python floats: float32 unless set otherwise."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make `d`, a floating-point type, the type of tensors made from Python floats.

    Raises TypeError when `d` is not a floating-point type.
    """
    global _default
    if not isinstance(d, dtype):
        raise TypeError(f"invalid dtype object: expected a torch.dtype, got {d!r}")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _default = d


def of_number(number: Number) -> dtype:
    """The type PyTorch gives to a Python number: bool, int64 or the default type."""
    if isinstance(number, builtins.bool):
        return bool
    return int64 if isinstance(number, int) else _default


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type that holds both, the higher category first (bool < integer < float).

    >>> torch.promote_types(torch.int64, torch.float32)
    torch.float32
    """
    given: Any
    for given in (type1, type2):
        if not isinstance(given, dtype):
            told = f"promote_types(): its types must be torch.dtype, not {type(given).__name__}"
            raise TypeError(told)
    if type1.category != type2.category:
        return type1 if type1.category > type2.category else type2
    if type1 is not type2 and type1.itemsize == type2.itemsize:  # neither holds the other
        return float32 if type1.is_floating_point else int16
    return type1 if type1.itemsize >= type2.itemsize else type2


_EXACT, _MOST = (float, int), 2**53
"""Python numbers that float64 holds: whichever way they become float32, it is the same number."""
_ARRAYS_OF_FLOATS: set[Any] = {np.dtype(np.float32), np.dtype(np.float64)}
_PYTHON_NUMBERS: set[Any] = {builtins.bool, builtins.int, builtins.float}


def promote(values: tuple[Array | Number, ...]) -> dtype:
    """The common type of arrays and Python numbers.

    Arrays with dimensions decide; 0-d arrays, then Python numbers, change the result only by a
    higher category. Source: PyTorch's "Tensor Attributes" page, type promotion.
    """
    kinds: set[Any] = {
        value.dtype if isinstance(value, np.ndarray) else value.__class__ for value in values
    }
    if len(kinds) > 1 and kinds & _ARRAYS_OF_FLOATS:
        kinds -= _PYTHON_NUMBERS  # which change no floating-point type
    if len(kinds) == 1 and (only := kinds.pop()) not in _PYTHON_NUMBERS:
        return from_numpy_dtype(only)
    by_rank: list[dtype | None] = [None, None, None]
    for value in values:
        if isinstance(value, np.ndarray):
            rank, kind = 0 if value.ndim else 1, from_numpy_dtype(value.dtype)
        else:
            rank, kind = 2, of_number(value)
        known = by_rank[rank]
        by_rank[rank] = kind if known is None else promote_types(known, kind)
    result: dtype | None = None
    for candidate in by_rank:
        if candidate is not None and (result is None or candidate.category > result.category):
            result = candidate
    assert result is not None
    return result


def to_floating(kind: dtype) -> dtype:
    """`kind` itself when it is a floating-point type, the default type otherwise."""
    return kind if kind.category == FLOATING else _default


def promote_to_floating(values: tuple[Array | Number, ...]) -> dtype:
    """The common type of arrays and numbers, the default type where that is not floating-point."""
    return to_floating(promote(values))


def cast(value: Array | Number, kind: dtype) -> Array:
    """`value` as an array of type `kind` (itself when it is one); integers wrap around.

    OverflowError for a number of more than 64 bits.
    """
    if isinstance(value, np.ndarray):
        if value.dtype == kind.numpy:
            return value
        if kind.numpy in NARROW:  # by way of float32, as PyTorch goes
            return value.astype(np.float32).astype(kind.numpy)
        return value.astype(kind.numpy)
    if kind.category == FLOATING and value.__class__ in _EXACT and -_MOST < value < _MOST:
        return np.array(value, kind.numpy)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise OverflowError(f"int too big to convert: {value} does not fit in 64 bits")
    return np.asarray(value).astype(kind.numpy)


class HasArray(Protocol):
    """A tensor, as far as this file knows it."""

    _array: Array


def _array_or_number(operand: HasArray | Number) -> Array | Number:
    array = getattr(operand, "_array", operand)
    if isinstance(array, np.ndarray | builtins.bool | int | float):
        return array
    raise TypeError(f"expected a tensor or a number, got {type(operand).__name__}")


def result_type(tensor1: HasArray | Number, tensor2: HasArray | Number) -> dtype:
    """The type that arithmetic on two tensors or numbers gives.

    >>> torch.result_type(torch.tensor([1, 2]), 1.0)
    torch.float32
    """
    return promote((_array_or_number(tensor1), _array_or_number(tensor2)))


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether PyTorch writes a result of type `from_` into a tensor of type `to`.

    >>> torch.can_cast(torch.float32, torch.int64)
    False
    """
    return from_.category <= to.category


class finfo:
    """Limits of a floating-point type: eps, min, max, tiny, smallest_normal, resolution, bits."""

    def __init__(self, type: dtype | None = None) -> None:
        kind = _default if type is None else type
        if not kind.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. "
                f"Use torch.iinfo to handle '{kind.name}'"
            )
        finfo_of: Any = np.finfo
        if kind is bfloat16:
            from ml_dtypes import finfo as finfo_of
        limits = finfo_of(kind.numpy)
        self.dtype = kind.name
        self.bits = limits.bits
        self.eps = float(limits.eps)
        self.min = float(limits.min)
        self.max = float(limits.max)
        self.tiny = self.smallest_normal = float(limits.tiny)
        self.resolution = 10.0 ** -int(-math.log10(self.eps))

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer type: min, max, bits."""

    def __init__(self, type: dtype) -> None:
        if type.category != INTEGRAL:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. "
                f"Use torch.finfo to handle '{type.name}'"
            )
        limits = np.iinfo(type.numpy)
        self.dtype = type.name
        self.bits = limits.bits
        self.min = int(limits.min)
        self.max = int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
