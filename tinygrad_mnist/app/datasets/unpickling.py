"""The tutorial's pickle, read without trusting it.

A file may name NumPy's `ndarray`, `dtype` and the functions that rebuild an array, and even these
it does not get: stand-ins take their places and note down shape, dtype and bytes, from which the
arrays are then made.
"""

from __future__ import annotations

import pickle
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist.serialization import pickles

from .errors import DataError

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

_MAX_OPCODES = 1_000
"""The published file has 124."""


def read(content: bytes, name: str) -> list[tuple[Array, Array]]:
    """The three pairs in a pickle; `name` is for messages.

    Raises:
        DataError: it names anything but NumPy's arrays, is broken, or holds something else than
            ((x, y), (x, y), (x, y)), x float32 (n, 784) and y int64 (n,).
    """
    try:
        pairs = pickles.read(content, _VOCABULARY)
    except pickle.UnpicklingError as error:
        raise DataError(f"{name}: is not a pickle to be trusted ({error}); replace it.") from error
    except Exception as error:  # a broken pickle raises anything
        raise DataError(f"{name}: is a damaged pickle; replace it.") from error
    return _splits(pairs, name)


class _Dtype:
    """In the place of numpy.dtype: little-endian float32 or int64."""

    def __init__(self, code: bytes | str, align: object, copy: object) -> None:
        self.code = _text(code)
        if self.code not in ("f4", "i8"):
            raise pickle.UnpicklingError("its arrays are neither float32 nor int64")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, order, *rest = state
        if (version, _text(order), *rest) != (3, "<", None, None, None, -1, -1, 0):
            raise pickle.UnpicklingError("it describes an unusual dtype")


class _Array:
    """In the place of an array under construction."""

    def __init__(self, kind: object, shape: object, code: object) -> None:
        if kind is not _NDARRAY:
            raise pickle.UnpicklingError("it builds something else than an array")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.values = _make(raw, dtype, shape, "F" if is_fortran else "C")


def _from_buffer(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array(_NDARRAY, None, None)
    array.values = _make(raw, dtype, shape, order)
    return array


def _make(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> Array:
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray):
        raise pickle.UnpicklingError("it builds something else than an array")
    flat = np.frombuffer(raw, "<" + dtype.code)
    if min(shape) < 0 or prod(shape) != flat.size:
        raise pickle.UnpicklingError(f"it announces shape {shape} for {flat.size} numbers")
    return flat.reshape(shape, order=order)


def _text(value: bytes | str) -> str:
    """Python 2 wrote byte strings where Python 3 writes text."""
    return value.decode("ascii") if isinstance(value, bytes) else value


_NDARRAY = object()
_STAND_INS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


def _build(thing: Any, state: Any) -> None:
    if not isinstance(thing, _Dtype | _Array):
        raise pickle.UnpicklingError(f"it gives a state to a {type(thing).__name__}")
    thing.__setstate__(state)


_VOCABULARY = pickles.Vocabulary(
    _STAND_INS,
    pickles.CONTAINERS | {"BINBYTES8", "BYTEARRAY8"},
    build=_build,
    text=lambda characters: characters.encode("latin-1"),
    most_steps=_MAX_OPCODES,
)


def _splits(pairs: Any, name: str) -> list[tuple[Array, Array]]:
    wrong = DataError(
        f"{name}: does not hold ((x, y), (x, y), (x, y)) with x float32 (n, 784) and "
        "y int64 (n,), as the tutorial's file does; replace it."
    )
    if not _is_sequence(pairs, 3) or not all(_is_sequence(pair, 2) for pair in pairs):
        raise wrong
    splits = []
    for x, y in pairs:
        images, labels = getattr(x, "values", None), getattr(y, "values", None)
        if images is None or labels is None or images.shape != (len(labels), 784):
            raise wrong
        if (images.dtype, labels.dtype, labels.ndim) != (np.float32, np.int64, 1):
            raise wrong
        splits.append((images.astype(np.float32, "C"), labels.astype(np.int64)))
    return splits


def _is_sequence(value: Any, length: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == length
