"""Arrays from a pickle, read without trusting it.

A pickle is a program that calls whatever it names. This reader calls nothing of NumPy's: the names
that a pickled array needs stand for two small classes here, which only take notes, and every other
name is refused. What they noted is then checked and becomes a tensor.
"""

import io
import math
import pickle
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    "f4": torch.float32,
    "f8": torch.float64,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
}


class UnpicklingError(Exception):
    """The pickle holds something other than plain arrays in tuples and lists."""


class _Dtype:
    """Notes what a pickle says of a ``numpy.dtype``."""

    def __init__(self, *arguments: Any) -> None:
        self.name = arguments[0] if arguments else None
        self.order: Any = "|"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """Notes what a pickle says of a ``numpy.ndarray``."""

    def __init__(self, *arguments: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor:
        """The array as a tensor of its own memory."""
        _version, shape, dtype, column_major, content = self.state
        if (
            not isinstance(dtype, _Dtype)
            or dtype.name not in DTYPES
            or dtype.order not in ("<", "|")
        ):
            raise UnpicklingError(f"expected little-endian numbers of dtype {', '.join(DTYPES)}")
        if column_major:
            raise UnpicklingError("expected an array in row-major order")
        if isinstance(content, str):
            content = content.encode("latin-1")
        if not isinstance(content, bytes):
            raise UnpicklingError(f"expected an array's bytes, found a {type(content).__name__}")
        tensor = torch.frombuffer(bytearray(content), dtype=DTYPES[dtype.name])
        if math.prod(shape) != len(tensor):
            raise UnpicklingError(
                f"expected {math.prod(shape)} numbers for shape {shape}, found {len(tensor)}"
            )
        return tensor.reshape(shape)


STAND_INS = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise UnpicklingError(f"it names {module}.{name}, which no array needs")
        return STAND_INS[module, name]


def read_tensors(content: bytes) -> Any:
    """The tuples and lists that the pickle holds, with a tensor in the place of each NumPy array.

    Byte strings written by Python 2 are read as latin-1.

    Raises:
        UnpicklingError: the pickle is broken, or holds more than arrays in tuples and lists.
    """
    try:
        return _tensors(_ArrayUnpickler(io.BytesIO(content), encoding="latin-1").load())
    except UnpicklingError:
        raise
    except Exception as error:  # a hostile pickle may raise anything
        raise UnpicklingError(f"it does not load ({type(error).__name__}: {error})") from error


def _tensors(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.tensor()
    if isinstance(value, (tuple, list)):
        return tuple(_tensors(item) for item in value)
    raise UnpicklingError(f"it holds a {type(value).__name__} where an array was expected")
