"""MNIST as PyTorch tensors, from files on disk.

The files are the tutorial's pickle, the published IDX files, or a NumPy archive of arrays in the
tutorial's layout: rows of 784 float32 pixels (pixel / 256) and int64 labels. Of MNIST's 60,000
training images the last 10,000 validate.
"""

import gzip
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from reference.unpickle import UnpicklingError, read_tensors

PICKLE = "mnist.pkl"
IDX_IMAGES = "train-images-idx3-ubyte"
IDX_LABELS = "train-labels-idx1-ubyte"
ARRAYS = ("x_train", "y_train", "x_valid", "y_valid")

PIXELS = 784
CLASSES = 10
VALID_ROWS = 10_000
LARGEST_CONTENT = 1 << 29  # bytes; the tutorial's pickle unpacks to 220 MB


class DataError(Exception):
    """The data cannot be read; the message names the file and says what to do."""


@dataclass(frozen=True)
class Digits:
    """Training and validation rows, and a sentence that says where they came from."""

    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    source: str

    def to(self, device: torch.device) -> "Digits":
        """The same digits in the device's memory."""
        tensors = (self.x_train, self.y_train, self.x_valid, self.y_valid)
        return Digits(*(tensor.to(device) for tensor in tensors), self.source)


def load(where: str = "auto") -> Digits:
    """Reads the digits that ``where`` names.

    Args:
        where: ``auto`` or ``mnist`` for MNIST in the folder that ``TINYGRAD_MNIST_DATA`` names,
            else in the user's cache; or a folder that holds it; or a ``.npz`` file of ``x_train``,
            ``y_train``, ``x_valid`` and ``y_valid``.

    Raises:
        DataError: nothing is there, or it is not what it should be.
    """
    if where in ("auto", "mnist"):
        return _from_first_folder()
    path = Path(where).expanduser()
    if path.is_dir():
        digits = _from_folder(path)
        if digits is None:
            raise DataError(f"{where}: holds neither {PICKLE} nor {IDX_IMAGES} and {IDX_LABELS}")
        return digits
    if path.suffix == ".npz":
        return _from_archive(path)
    raise DataError(
        f"{where}: expected auto, an existing folder with MNIST, or a .npz file of arrays"
    )


def _from_first_folder() -> Digits:
    looked_in = []
    for folder in _folders():
        looked_in.append(str(folder))
        digits = _from_folder(folder)
        if digits is not None:
            return digits
    raise DataError(
        f"MNIST is not in {' and '.join(looked_in)}: set TINYGRAD_MNIST_DATA to the folder that "
        f"holds {PICKLE} or the IDX files, or name a folder or a .npz file with --data"
    )


def _folders() -> Iterator[Path]:
    named = os.environ.get("TINYGRAD_MNIST_DATA")
    if named:
        yield Path(named).expanduser()
    from platformdirs import user_cache_path

    cache = user_cache_path("tinygrad_mnist", appauthor=False) / "mnist"
    if os.name == "posix" and cache.exists():
        status = cache.lstat()
        own = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
        if not own or status.st_mode & 0o022:
            raise DataError(f"{cache}: others could have written there: remove it")
    yield cache


def _file(folder: Path, name: str) -> Path | None:
    """The file of that name in the folder, packed or not; some mirrors write .idx3 for -idx3."""
    spellings = (
        f"{name}.gz",
        name,
        f"{name.replace('-idx', '.idx')}.gz",
        name.replace("-idx", ".idx"),
    )
    return next((folder / each for each in spellings if (folder / each).is_file()), None)


def _from_folder(folder: Path) -> Digits | None:
    images, labels = _file(folder, IDX_IMAGES), _file(folder, IDX_LABELS)
    if images and labels:
        return _from_idx(images, labels)
    packed = _file(folder, PICKLE)
    return _from_pickle(packed) if packed else None


def _from_idx(images: Path, labels: Path) -> Digits:
    x = _read_idx(images, dimensions=3).flatten(1).float() / 256
    y = _read_idx(labels, dimensions=1).long()
    rows = len(x) - VALID_ROWS
    if rows <= 0 or len(y) != len(x):
        raise DataError(
            f"{images}: expected more than {VALID_ROWS} images and a label for each, "
            f"found {len(x)} images and {len(y)} labels"
        )
    source = f"MNIST (IDX files in {images.parent})"
    return _checked(Digits(x[:rows], y[:rows], x[rows:], y[rows:], source))


def _read_idx(path: Path, dimensions: int) -> Tensor:
    """An IDX file of bytes: 0, 0, 8 (uint8), the number of dimensions, big-endian sizes, bytes."""
    with _unpacked(path) as file:
        header = file.read(4 + 4 * dimensions)
        if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, 8, dimensions)):
            raise DataError(f"{path}: not an IDX file of bytes in {dimensions} dimensions")
        shape = struct.unpack(f">{dimensions}I", header[4:])
        size = math.prod(shape)
        if not 0 < size <= LARGEST_CONTENT:
            raise DataError(f"{path}: its header announces {size} bytes")
        content = file.read(size + 1)
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(
            f"{path}: its header announces {size} bytes, it holds {held}: get the file again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).reshape(shape)


def _from_pickle(path: Path) -> Digits:
    with _unpacked(path) as file:
        content = file.read(LARGEST_CONTENT + 1)
    if len(content) > LARGEST_CONTENT:
        raise DataError(f"{path}: unpacks to more than {LARGEST_CONTENT} bytes")
    try:
        (x_train, y_train), (x_valid, y_valid), _ = read_tensors(content)
    except (UnpicklingError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not the tutorial's pickle of MNIST: {error}") from error
    return _checked(Digits(x_train, y_train, x_valid, y_valid, f"MNIST ({path})"))


def _from_archive(path: Path) -> Digits:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            tensors = [torch.from_numpy(archive[name]) for name in ARRAYS]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an archive of {', '.join(ARRAYS)}: {error}") from error
    return _checked(Digits(*tensors, f"arrays ({path})"))


@contextmanager
def _unpacked(path: Path) -> Iterator[gzip.GzipFile | BinaryIO]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}: get the file again") from error


def _checked(digits: Digits) -> Digits:
    for x, y in ((digits.x_train, digits.y_train), (digits.x_valid, digits.y_valid)):
        for tensor, dtype, shape in (
            (x, torch.float32, (len(y), PIXELS)),
            (y, torch.int64, (len(y),)),
        ):
            if not isinstance(tensor, Tensor) or tensor.dtype != dtype or tensor.shape != shape:
                raise DataError(
                    f"{digits.source}: expected {dtype} of shape {shape}, found {_kind(tensor)}"
                )
        if len(y) == 0 or not 0 <= y.min() <= y.max() < CLASSES:
            raise DataError(
                f"{digits.source}: expected labels from 0 to {CLASSES - 1}, at least one"
            )
    return digits


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__
