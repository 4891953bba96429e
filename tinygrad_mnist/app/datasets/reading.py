"""From a file's bytes to digits, with every check on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import checksums, idx, unpickling
from .digits import Digits, from_pixels
from .errors import DataError
from .gunzip import unpack
from .locations import IDX_FILES, PICKLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tinygrad_mnist.dtypes import Array

_IDX_LIMIT = 64 * 2**20
_PICKLE_LIMIT = 256 * 2**20
"""Bytes, unpacked; MNIST's largest files have 47 and 220 million."""

_TRAIN = 50_000
"""Rows of the published training set that the tutorial trains on; it validates on the rest."""


def read(paths: Sequence[Path]) -> Digits[Array]:
    """MNIST from its pickle, or from its four IDX files in the order of `IDX_FILES`.

    Raises:
        DataError: a file cannot be read, is broken, or is not MNIST.
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
    """The digits in a pickle of the tutorial's layout, held against MNIST unless told not to.

    Raises:
        DataError: as `read`.
    """
    name = str(path)
    train, valid, test = decode_pickle(raw_content(path), name, verify)
    if verify:
        return Digits(train, valid, test, "mnist", f"MNIST from {path.parent}")
    return Digits(train, valid, test, "unverified", f"unverified digits from {name}")


def raw_content(path: Path) -> bytes:
    """A file's bytes as they lie on the disk, few enough to be MNIST's.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_PICKLE_LIMIT + 1)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); check path and permissions."
        ) from error


def check(file: str, raw: bytes, name: str) -> None:
    """Holds `raw` against MNIST's `file`, the pickle or one of the IDX files.

    Raises:
        DataError: it is not that file.
    """
    if file == PICKLE:
        decode_pickle(raw, name)
    else:
        decode_idx(raw, file, name)


def decode_idx(raw: bytes, file: str, name: str) -> Array:
    """The array in one of MNIST's IDX files, compressed or not; `name` is for messages."""
    content = unpack(raw, name, _IDX_LIMIT)
    array = idx.decode(content, name)
    checksums.verify_idx(content, file, name)
    return array


def decode_pickle(raw: bytes, name: str, verify: bool = True) -> list[tuple[Array, Array]]:
    """The three pairs in a pickle, compressed or not; `name` is for messages."""
    pairs = unpickling.read(unpack(raw, name, _PICKLE_LIMIT), name)
    if verify:
        checksums.verify_pairs(pairs, name)
    return pairs
