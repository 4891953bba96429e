"""The IDX format, in which MNIST is published: a big-endian header, then the bytes.

Two zero bytes, one for the type of the items (8: unsigned bytes, all that MNIST uses), one for
the number of dimensions; then each dimension in four bytes; then the items, last dimension
fastest. Source: the description under http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

_UNSIGNED_BYTES = 8
_MAX_DIMENSIONS = 3


def decode(content: bytes, name: str) -> Array:
    """The uint8 array in an IDX file, read-only; `name` is for messages.

    Raises:
        DataError: this is no IDX file of unsigned bytes, or not as long as its header says.

    >>> decode(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), "three labels")
    array([5, 0, 4], dtype=uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{name}: is not an IDX file; replace it.")
    kind, dimensions = content[2], content[3]
    if kind != _UNSIGNED_BYTES or not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise DataError(
            f"{name}: holds items of type {kind} in {dimensions} dimensions; "
            f"expected type {_UNSIGNED_BYTES} in 1 to {_MAX_DIMENSIONS}. Replace it."
        )
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{name}: is cut off within its header; replace it.")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if prod(shape) != len(content) - start or 0 in shape:
        raise DataError(
            f"{name}: holds {len(content) - start} bytes after its header, which announces "
            f"shape {shape}; replace it."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def encode(array: Array) -> bytes:
    """The IDX file that holds a uint8 array.

    >>> encode(np.array([5, 0, 4], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 03 05 00 04'
    """
    header = struct.pack(f">2x2B{array.ndim}I", _UNSIGNED_BYTES, array.ndim, *array.shape)
    return header + array.tobytes()
