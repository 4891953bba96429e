"""What every data set here hands back, what can go wrong with it, and an archive to keep it in.

The archive (`.npz`) hands the same digits to another program: `python -m reference.train --data
FILE.npz` reads it too. It holds `x_train`, `y_train`, `x_valid`, `y_valid`, `x_test`, `y_test`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar

import numpy as np

from tinygrad_mnist.engine.wording import cut
from tinygrad_mnist.serialization import files
from tinygrad_mnist.serialization.archive import ZIP

if TYPE_CHECKING:
    from os import PathLike

    from tinygrad_mnist.dtypes import Array

T = TypeVar("T")
U = TypeVar("U")

SPLITS = ("train", "valid", "test")
_SPARE = "test"
"""The split that an archive may lack: training needs none."""
_LARGEST = 2**30
"""Bytes that an archive may unpack to; MNIST has 220 million."""


class DataError(RuntimeError):
    """Data is missing, broken or not to be trusted. Says which file, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(cut(message, 4_000))


class TransferError(DataError):
    """One address did not deliver its file; another may."""


class SyntheticDataWarning(UserWarning):
    """MNIST was not to be had, and synthetic digits were loaded in its place."""


@dataclass(frozen=True, eq=False)
class Digits(Generic[T]):
    """Three pairs (images, labels), of NumPy arrays or of tensors; unpacks in that order.

    Images: float32, shape (n, 784), pixel / 256. Labels: int64, shape (n,), 0 to 9.
    `source` is "mnist" for verified MNIST alone and "synthetic" for drawn digits; `description`
    says it for people, with the place.

    >>> import numpy as np
    >>> pair = np.zeros((1, 784), np.float32), np.zeros(1, np.int64)
    >>> digits = Digits(pair, pair, pair, source="mnist", description="MNIST from here")
    >>> (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = digits
    >>> digits
    Digits(source='mnist', description='MNIST from here')
    """

    train: tuple[T, T] = field(repr=False)
    valid: tuple[T, T] = field(repr=False)
    test: tuple[T, T] = field(repr=False)
    source: str
    description: str

    def __iter__(self) -> Iterator[tuple[T, T]]:
        return iter((self.train, self.valid, self.test))

    def map(self, function: Callable[[T], U]) -> Digits[U]:
        """The same digits with `function` applied to each of the six arrays."""
        train, valid, test = ((function(x), function(y)) for x, y in self)
        return Digits(train, valid, test, self.source, self.description)


def from_pixels(parts: list[tuple[Array, Array]], source: str, description: str) -> Digits[Array]:
    """Digits from three pairs of uint8 arrays: images of 784 pixels each, and labels."""
    train, valid, test = ((_images(pixels), labels.astype(np.int64)) for pixels, labels in parts)
    return Digits(train, valid, test, source, description)


def _images(pixels: Array) -> Array:
    images = pixels.reshape(-1, 784).astype(np.float32)
    images /= 256
    return images


def save_archive(file: BinaryIO, digits: Digits[Array]) -> None:
    """Writes the digits into a file opened for writing bytes.

    >>> from io import BytesIO
    >>> pair = np.zeros((1, 784), np.float32), np.zeros(1, np.int64)
    >>> file = BytesIO()
    >>> save_archive(file, Digits(pair, pair, pair, "arrays", "zeros"))
    >>> sorted(np.load(BytesIO(file.getvalue())))
    ['x_test', 'x_train', 'x_valid', 'y_test', 'y_train', 'y_valid']
    """
    arrays: dict[str, Any] = {}
    for split, (x, y) in zip(SPLITS, digits, strict=True):
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    np.savez(file, **arrays)


def load_archive(path: str | PathLike[str]) -> Digits[Array]:
    """The digits in an archive; without test digits it gives none.

    Returns:
        `Digits` whose `source` is "arrays".

    Raises DataError if the file cannot be read, or holds something else than images float32 (n,
    784) and labels int64 (n,) from 0 to 9, at least one to train and to validate on.
    """
    try:
        with files.opened(path, _LARGEST) as opened, _archive(opened) as file:
            if sum(entry.file_size for entry in file.zip.infolist()) > _LARGEST:
                raise DataError(f"{path}: holds more than the {_LARGEST:,} bytes that are read.")
            train, valid, test = (_pair(file, split, path) for split in SPLITS)
    except DataError:
        raise
    except OSError as error:
        reason = error.strerror or "it is no archive"
        raise DataError(f"{path}: cannot be read ({reason}).") from error
    except Exception as error:  # a broken archive raises anything
        told = f"is not an archive of arrays ({cut(error)}); write it anew."
        raise DataError(f"{path}: {told}") from error
    return Digits(train, valid, test, "arrays", f"arrays from {Path(path)}")


def _archive(file: BinaryIO) -> Any:
    if file.read(len(ZIP)) != ZIP:
        raise ValueError("it is no zip archive")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _pair(file: np.lib.npyio.NpzFile, split: str, path: str | PathLike[str]) -> tuple[Array, Array]:
    names = (f"x_{split}", f"y_{split}")
    missing = [name for name in names if name not in file]
    if missing and split == _SPARE:
        return np.empty((0, 784), np.float32), np.empty(0, np.int64)
    if missing:
        raise DataError(f"{path}: lacks {' and '.join(missing)}; write it anew.")
    x, y = (file[name] for name in names)
    for name, array, dtype, shape in (
        (names[0], x, np.float32, (len(y) if y.ndim else 0, 784)),
        (names[1], y, np.int64, (y.size,)),
    ):
        if array.dtype != dtype or array.shape != shape:
            raise DataError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}; expected "
                f"{np.dtype(dtype)} of shape {shape}."
            )
    if y.size == 0 and split != _SPARE:
        raise DataError(f"{path}: {names[1]} is empty; expected at least one label.")
    if y.size and not 0 <= y.min() <= y.max() <= 9:
        raise DataError(f"{path}: {names[1]} holds labels beyond 0 to 9.")
    return x, y
