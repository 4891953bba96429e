"""Is this MNIST, bit for bit? One list of SHA-256 sums answers for every kind of file.

The sums are those of the four published IDX files, unpacked; the gzip around them may differ.
Arrays from elsewhere are turned back into those files first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import idx
from .errors import DataError

if TYPE_CHECKING:
    from tinygrad_mnist.dtypes import Array

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def verify_idx(content: bytes, file: str, name: str) -> None:
    """Holds an unpacked IDX file against MNIST's `file`; `name` is for messages.

    Raises:
        DataError: they differ.
    """
    from hashlib import sha256

    found = sha256(content).hexdigest()
    if found != SHA256[file]:
        raise DataError(
            f"{name}: is not MNIST's {file} (SHA-256 of its content {found}, expected "
            f"{SHA256[file]}); replace it."
        )


def verify_pairs(pairs: list[tuple[Array, Array]], name: str) -> None:
    """Holds decoded arrays against MNIST: the training set is train, then valid.

    Raises:
        DataError: they differ.
    """
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
        verify_idx(idx.encode(items.reshape(shape)), file, name)


def _as_bytes(values: Array, name: str) -> Array:
    with np.errstate(invalid="ignore"):
        items = values.astype(np.uint8)
    if not np.array_equal(items, values):
        raise DataError(f"{name} holds values that MNIST does not; replace the file.")
    return items
