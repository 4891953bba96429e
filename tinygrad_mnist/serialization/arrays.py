"""NumPy's arrays and numbers in a pickle: bytes of a plain type, which run nothing."""

from __future__ import annotations

from math import prod
from pickle import UnpicklingError
from types import BuiltinFunctionType
from typing import Any

import numpy as np

_PLAIN = "biufcSU"
"""The kinds of types that are read: truth values, numbers, texts; no objects, no records."""


def _dtype(kind: Any, *_: Any) -> np.dtype[Any]:
    if type(kind) is not str or kind[:1] not in _PLAIN or not kind[1:].lstrip("0").isdecimal():
        raise UnpicklingError("it holds an array of something else than numbers or texts")
    return np.dtype(kind, False, True)


def _empty(owner: Any, *_: Any) -> Any:
    if owner is not _ARRAY:
        raise UnpicklingError("it holds an array of a class of its own")
    return np.ndarray((0,), np.int8)


def _raw(kind: Any, content: Any, shape: Any = ()) -> bytes:
    """The bytes of an array of that shape, of a type that `_dtype` made."""
    content = content.encode("latin-1") if isinstance(content, str) else content
    whole = type(shape) is tuple and all(type(each) is int and each >= 0 for each in shape)
    if not isinstance(kind, np.dtype) or type(content) is not bytes or not whole:
        raise UnpicklingError("it builds an array of something else than bytes")
    if len(content) != kind.itemsize * prod(shape):
        raise UnpicklingError(f"it has {len(content)} bytes for an array of shape {shape}")
    return content


def _scalar(kind: Any, content: Any) -> Any:
    return np.frombuffer(_raw(kind, content), kind)[0]


def build(thing: np.ndarray[Any, Any] | np.dtype[Any], state: Any) -> None:
    """Gives an array its numbers, or a type its byte order."""
    if isinstance(thing, np.dtype):
        _, order, *record, _, _, _ = state
        if order not in tuple("<>|=") or any(part is not None for part in record):
            raise UnpicklingError("it holds an array of records")
        text = (thing.itemsize, thing.alignment) if thing.kind in "SU" else (-1, -1)
        thing.__setstate__((3, order, None, None, None, *text, 0))  # type: ignore[attr-defined]
    else:
        _, shape, kind, is_fortran, content = state
        raw = _raw(kind, content, shape)
        thing.__setstate__((1, shape, kind, is_fortran is True, raw))  # type: ignore[arg-type]


_ARRAY = object()
"""In the place of the class of arrays, which is not called."""
NAMES: dict[tuple[str, str], Any] = {("numpy", "ndarray"): _ARRAY, ("numpy", "dtype"): _dtype}
"""What the names in NumPy's pickles stand for."""
for _core in ("numpy._core.multiarray", "numpy.core.multiarray"):
    NAMES |= {(_core, "_reconstruct"): _empty, (_core, "scalar"): _scalar}

_SPELLED: dict[Any, str] = {
    np.ndarray: "numpy.ndarray",
    np.dtype: "numpy.dtype",
    np.zeros(()).__reduce__()[0]: "numpy._core.multiarray._reconstruct",
    np.float64().__reduce__()[0]: "numpy._core.multiarray.scalar",
}


def taken_apart(value: Any) -> str | tuple[Any, ...] | None:
    """The name by which NumPy's pickles call a value, or the call that makes it; else None."""
    if isinstance(value, type | BuiltinFunctionType) and value in _SPELLED:
        return _SPELLED[value]
    kind = value if isinstance(value, np.dtype) else getattr(value, "dtype", None)
    if not isinstance(value, np.dtype | np.generic) and type(value) is not np.ndarray:
        return None
    made: tuple[Any, ...] = value.__reduce__()  # type: ignore[assignment]
    return made if kind is not None and kind.kind in _PLAIN else None
