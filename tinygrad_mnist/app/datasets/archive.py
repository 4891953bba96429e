"""Digits in a NumPy archive (`.npz`), to hand the same ones to another program.

The archive holds `x_train`, `y_train`, `x_valid`, `y_valid`, `x_test` and `y_test`, as `Digits`
has them. `python -m reference.train --data FILE.npz` reads it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .digits import Digits
from .errors import DataError

if TYPE_CHECKING:
    from os import PathLike

    from tinygrad_mnist.dtypes import Array

SPLITS = ("train", "valid", "test")
_SPARE = "test"
"""The split that an archive may lack: training needs none."""


def save(file: BinaryIO, digits: Digits[Array]) -> None:
    """Writes the digits into a file opened for writing bytes.

    >>> from io import BytesIO
    >>> pair = np.zeros((1, 784), np.float32), np.zeros(1, np.int64)
    >>> file = BytesIO()
    >>> save(file, Digits(pair, pair, pair, "arrays", "zeros"))
    >>> sorted(np.load(BytesIO(file.getvalue())))
    ['x_test', 'x_train', 'x_valid', 'y_test', 'y_train', 'y_valid']
    """
    (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = digits
    np.savez(
        file,
        x_train=x_train,
        y_train=y_train,
        x_valid=x_valid,
        y_valid=y_valid,
        x_test=x_test,
        y_test=y_test,
    )


def load(path: str | PathLike[str]) -> Digits[Array]:
    """The digits in an archive; without test digits it gives none.

    Returns:
        `Digits` whose `source` is "arrays".

    Raises:
        DataError: the file cannot be read, or holds something else than images float32 (n, 784)
            and labels int64 (n,) from 0 to 9, at least one to train and to validate on.
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            train, valid, test = (_pair(file, split, path) for split in SPLITS)
    except DataError:
        raise
    except OSError as error:
        reason = error.strerror or "it is no archive"
        raise DataError(f"{path}: cannot be read ({reason}).") from error
    except Exception as error:  # a broken archive raises anything
        raise DataError(f"{path}: is not an archive of arrays ({error}); write it anew.") from error
    return Digits(train, valid, test, "arrays", f"arrays from {Path(path)}")


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
