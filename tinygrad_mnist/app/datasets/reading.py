"""MNIST in files: where they may lie, and from a file's bytes to digits, with every check.

A set of files is the tutorial's pickle or the four published IDX files, compressed or not. None is
trusted: sizes are bounded, contents are held against SHA-256 sums, and the pickle runs nothing.
"""

from __future__ import annotations

import functools
import pickle
import struct
import tempfile
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_mnist.engine.wording import cut, shown
from tinygrad_mnist.kernels import cache_folder as folders
from tinygrad_mnist.serialization import files, pickles
from tinygrad_mnist.tools.mnist_files import IDX_LIMIT, SHA256

from .digits import DataError, Digits, from_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_mnist.dtypes import Array

PICKLE = "mnist.pkl"
IDX_FILES = tuple(SHA256)
_PICKLE_LIMIT = 256 * 2**20
"""Bytes, unpacked; MNIST's has 220 million."""
_UNSIGNED_BYTES = 8
_MAX_DIMENSIONS = 3
"""What an IDX file of MNIST's may hold."""

_TRAIN = 50_000
"""Rows of the published training set that the tutorial trains on; it validates on the rest."""


# Where MNIST may lie on this machine.


def cache_folder() -> Path:
    """Where downloads of this user are kept; where that is not safe, for this run alone."""
    return folders.for_data("mnist") or Path(_temporary().name)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with this process."""
    return tempfile.TemporaryDirectory(prefix="tinygrad_mnist-")


def candidates(folder: Path) -> list[list[Path]]:
    """The complete sets in a folder: the four IDX files (read faster), then the pickle.

    Either may be compressed (.gz) or not; `train-images.idx3-ubyte` is a known spelling too.
    """
    sets = [list(_idx_files(folder).values()), [_existing(folder, PICKLE)]]
    return [[path for path in paths if path] for paths in sets if all(paths)]


def incomplete(folder: Path) -> list[str]:
    """The IDX files that a folder lacks, if it holds some of the four but not all."""
    missing = [file for file, path in _idx_files(folder).items() if path is None]
    return missing if len(missing) < len(IDX_FILES) else []


def _idx_files(folder: Path) -> dict[str, Path | None]:
    return {file: _existing(folder, file, file.replace("-idx", ".idx")) for file in IDX_FILES}


def _existing(folder: Path, *names: str) -> Path | None:
    try:
        for name in names:
            for path in (folder / f"{name}.gz", folder / name):
                if path.is_file():
                    return path
    except OSError as error:
        raise _unreadable(folder, error) from error
    return None


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror}); check path and permissions.")


# From a file's bytes to digits.


def read(paths: Sequence[Path]) -> Digits[Array]:
    """MNIST from its pickle, or from its four IDX files in the order of `IDX_FILES`.

    Raises DataError if a file cannot be read, is broken, or is not MNIST.
    """
    if len(paths) == 1:
        return read_pickle(paths[0])
    x, y, x_test, y_test = (
        decode_idx(raw_content(path), file, str(path))
        for file, path in zip(IDX_FILES, paths, strict=True)
    )
    parts = [(x[:_TRAIN], y[:_TRAIN]), (x[_TRAIN:], y[_TRAIN:]), (x_test, y_test)]
    return from_pixels(parts, "mnist", f"MNIST from {paths[0].parent}")


def read_pickle(path: Path, verify: bool = True) -> Digits[Array]:
    """The digits in a pickle of the tutorial's layout, held against MNIST unless told not to."""
    name = str(path)
    train, valid, test = decode_pickle(raw_content(path), name, verify)
    if verify:
        return Digits(train, valid, test, "mnist", f"MNIST from {path.parent}")
    return Digits(train, valid, test, "unverified", f"unverified digits from {name}")


def raw_content(path: Path) -> bytes:
    """A file's bytes as they lie on the disk, few enough to be MNIST's, or DataError."""
    try:
        return files.read(path, _PICKLE_LIMIT)
    except files.ReadError as error:
        raise DataError(f"{error} Check path and permissions.") from error


def check(file: str, raw: bytes, name: str) -> None:
    """Holds `raw` against MNIST's `file`, the pickle or one of the IDX files, or DataError."""
    if file == PICKLE:
        decode_pickle(raw, name)
    else:
        decode_idx(raw, file, name)


def decode_idx(raw: bytes, file: str, name: str) -> Array:
    """The array in one of MNIST's IDX files, compressed or not; `name` is for messages."""
    content = unpack(raw, name, IDX_LIMIT)
    array = from_idx(content, name)
    verify_idx(content, file, name)
    return array


def decode_pickle(raw: bytes, name: str, verify: bool = True) -> list[tuple[Array, Array]]:
    """The three pairs in a pickle, compressed or not; `name` is for messages."""
    pairs = from_pickle(unpack(raw, name, _PICKLE_LIMIT), name)
    if verify:
        verify_pairs(pairs, name)
    return pairs


def unpack(raw: bytes, name: str, limit: int) -> bytes:
    """`raw`, or what it unpacks to if it starts as gzip does; `name` is for messages.

    Raises DataError if it is cut off or damaged, or holds more than `limit` bytes.

    >>> import gzip
    >>> unpack(gzip.compress(b"digits"), "a file", limit=100)
    b'digits'
    """
    content = _gunzip(raw, name, limit) if raw.startswith(b"\x1f\x8b") else raw
    if len(content) > limit:
        raise DataError(f"{name}: holds more than the {limit} bytes that MNIST can; replace it.")
    return content


def _gunzip(raw: bytes, name: str, limit: int) -> bytes:
    """At most one byte over the limit, so that a small bomb never becomes a large array."""
    import gzip
    from io import BytesIO

    try:
        with gzip.GzipFile(fileobj=BytesIO(raw)) as stream:
            return stream.read(limit + 1)
    except EOFError as error:
        raise DataError(f"{name}: is cut off; replace it by the whole file.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: is a damaged gzip file ({error}); replace it.") from error


# Is this MNIST, bit for bit? Arrays are turned back into the published files first.


def verify_idx(content: bytes, file: str, name: str) -> None:
    """Holds an unpacked IDX file against MNIST's `file`, or raises DataError."""
    from hashlib import sha256

    found = sha256(content).hexdigest()
    if found != SHA256[file]:
        raise DataError(
            f"{name}: is not MNIST's {file} (SHA-256 of its content {found}, expected "
            f"{SHA256[file]}); replace it."
        )


def verify_pairs(pairs: list[tuple[Array, Array]], name: str) -> None:
    """Holds decoded arrays against MNIST, or raises DataError; its training set is train, valid."""
    (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = pairs
    parts = (
        np.concatenate([x_train, x_valid]) * 256,
        np.concatenate([y_train, y_valid]),
        x_test * 256,
        y_test,
    )
    for file, values in zip(SHA256, parts, strict=True):
        items = _as_bytes(values, f"{name}: {file}")
        shape = (-1, 28, 28) if "images" in file else (-1,)
        verify_idx(to_idx(items.reshape(shape)), file, name)


def _as_bytes(values: Array, name: str) -> Array:
    with np.errstate(invalid="ignore"):
        items = values.astype(np.uint8)
    if not np.array_equal(items, values):
        raise DataError(f"{name} holds values that MNIST does not; replace the file.")
    return items


# The IDX format: a big-endian header, then the bytes.


def from_idx(content: bytes, name: str) -> Array:
    """The uint8 array in an IDX file, read-only; `name` is for messages.

    Raises DataError if this is no IDX file of unsigned bytes, or not as long as its header says.

    >>> from_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]), "three labels")
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


def to_idx(array: Array) -> bytes:
    """The IDX file that holds a uint8 array.

    >>> to_idx(np.array([5, 0, 4], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 03 05 00 04'
    """
    header = struct.pack(f">2x2B{array.ndim}I", _UNSIGNED_BYTES, array.ndim, *array.shape)
    return header + array.tobytes()


# The tutorial's pickle. It may name NumPy's `ndarray`, `dtype` and the functions that rebuild an
# array, and even these it does not get: stand-ins take their places and note down shape, dtype and
# bytes, from which the arrays are then made.

_MAX_OPCODES = 1_000
"""The published file has 124."""


def from_pickle(content: bytes, name: str) -> list[tuple[Array, Array]]:
    """The three pairs in a pickle; `name` is for messages.

    Raises DataError if it names anything but NumPy's arrays, is broken, or holds something else
    than ((x, y), (x, y), (x, y)), x float32 (n, 784) and y int64 (n,).
    """
    try:
        pairs = pickles.read(content, _VOCABULARY)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{name}: is not a pickle to be trusted ({cut(error)}); replace it."
        ) from error
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

    values: Array

    def __init__(self, kind: object, shape: object, code: object) -> None:
        if kind is not _NDARRAY:
            raise pickle.UnpicklingError(_NO_ARRAY)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, raw = state
        self.fill(raw, dtype, shape, "F" if is_fortran else "C")

    def fill(self, raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> None:
        if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray):
            raise pickle.UnpicklingError(_NO_ARRAY)
        flat = np.frombuffer(raw, "<" + dtype.code)
        if not _is_shape(shape) or prod(shape) != flat.size:
            raise pickle.UnpicklingError(
                f"it announces shape {shown(shape)} for {flat.size} numbers"
            )
        self.values = flat.reshape(shape, order=order)


def _from_buffer(raw: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array(_NDARRAY, None, None)
    array.fill(raw, dtype, shape, order)
    return array


def _is_shape(shape: Any) -> bool:
    lengths = shape if isinstance(shape, tuple) else ()
    return len(lengths) in (1, 2) and all(type(n) is int and 0 <= n < 2**63 for n in lengths)


def _text(value: bytes | str) -> str:
    """Python 2 wrote byte strings where Python 3 writes text."""
    return value.decode("ascii") if isinstance(value, bytes) else value


def _build(thing: Any, state: Any) -> None:
    if not isinstance(thing, _Dtype | _Array):
        raise pickle.UnpicklingError(f"it gives a state to a {type(thing).__name__}")
    thing.__setstate__(state)


_NDARRAY = object()
_NO_ARRAY = "it builds something else than an array"
_STAND_INS: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Dtype,
}
for core in ("numpy.core", "numpy._core"):
    _STAND_INS[f"{core}.multiarray", "_reconstruct"] = _Array
    _STAND_INS[f"{core}.numeric", "_frombuffer"] = _from_buffer
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
