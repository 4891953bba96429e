"""MNIST as the tutorial loads it, from this machine or the network; synthetic digits without it.

MNIST is looked for in the folder named by `TINYGRAD_MNIST_DATA`, then among this user's
downloads; then it is downloaded. A folder may hold `mnist.pkl.gz` (the tutorial's) or the four
IDX files (the published ones), compressed or not.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from tinygrad_mnist.tools.mnist_files import named_folder

from . import download, reading, synthetic
from .digits import DataError, SyntheticDataWarning

if TYPE_CHECKING:
    from os import PathLike

    from tinygrad_mnist import Tensor
    from tinygrad_mnist.dtypes import Array

    from .digits import Digits

Data = Literal["auto", "mnist", "synthetic"]

AUTO_SECONDS = 9.0
"""How long "auto" tries to download: with the time to give up, less than ten seconds."""


def load(
    data: Data = "auto", seed: int = 0, folder: str | PathLike[str] | None = None
) -> Digits[Tensor]:
    """The digits as tensors: 50,000 to train, 10,000 to validate and 10,000 to test.

    Args:
        data: "mnist": MNIST or an error. "synthetic": digits that the program draws. "auto":
            MNIST where it is found or downloaded within ten seconds, else synthetic digits and
            a warning. A file that is found but broken is an error for "auto" too.
        seed: fixes the synthetic digits; MNIST is what it is.
        folder: where MNIST lies, instead of the one that TINYGRAD_MNIST_DATA names. If it holds
            nothing of MNIST, "mnist" stops there; "auto" looks on, and says so if in vain.

    Returns:
        `Digits`, which unpacks into three pairs: images float32 (n, 784), pixel / 256, and labels
        int64 (n,). Its `source` is "mnist" or "synthetic", its `description` is for people.

    Raises:
        DataError: as said; the message names the file and says what to do.
        ValueError: `data` is none of the three.

    >>> from tinygrad_mnist.app.datasets import mnist
    >>> digits = mnist.load("synthetic", seed=0)
    >>> (x_train, y_train), (x_valid, y_valid), (x_test, y_test) = digits
    >>> x_train.shape, y_train.dtype
    (torch.Size([50000, 784]), torch.int64)
    >>> digits.description
    'synthetic digits (seed 0)'
    """
    from tinygrad_mnist import from_numpy

    return _load(data, seed, folder).map(from_numpy)


def load_arrays(
    data: Data = "auto", seed: int = 0, folder: str | PathLike[str] | None = None
) -> Digits[Array]:
    """What `load` gives, as NumPy arrays."""
    return _load(data, seed, folder)


def load_pickle(path: str | PathLike[str], *, verify: bool = True) -> Digits[Array]:
    """Digits as NumPy arrays from a pickle of the tutorial's layout, compressed or not.

    Args:
        path: the file. It is not trusted: nothing in it can run.
        verify: whether the arrays must be MNIST's, bit for bit. If not, the result's `source` is
            "unverified".

    Raises:
        DataError: the file cannot be read, is broken, holds something else, or is not MNIST.
    """
    return reading.read_pickle(Path(path), verify)


def _load(data: Data, seed: int, folder: str | PathLike[str] | None) -> Digits[Array]:
    if data not in get_args(Data):
        raise ValueError(f"data is {data!r}; expected one of {', '.join(get_args(Data))}")
    if data == "synthetic":
        return synthetic.generate(seed)
    named = Path(folder) if folder is not None else named_folder()
    sets = _sets_in(named) if named else []
    if sets:
        return reading.read(sets[0])
    if data == "mnist":
        if named:
            raise DataError(f"{_nothing_in(named)}; put them there, or name another folder.")
        return _cached_or_downloaded(None)
    try:
        return _cached_or_downloaded(AUTO_SECONDS)
    except DataError as error:
        reason = f"{_nothing_in(named)}.\n{error}" if named else str(error)
        warnings.warn(
            f"\n*** NOT MNIST: these are synthetic digits (seed {seed}). ***\n{reason}",
            SyntheticDataWarning,
            stacklevel=3,
        )
        return synthetic.generate(seed)


def _sets_in(folder: Path) -> list[list[Path]]:
    sets = reading.candidates(folder)
    missing = reading.incomplete(folder)
    if missing and not sets:
        raise DataError(f"{folder}: lacks {' and '.join(missing)}; add what is missing.")
    return sets


def _nothing_in(folder: Path) -> str:
    return f"{folder}: holds neither mnist.pkl.gz nor MNIST's four IDX files"


def _cached_or_downloaded(seconds: float | None) -> Digits[Array]:
    cache = reading.cache_folder()
    for paths in reading.candidates(cache):
        with suppress(DataError):  # damaged since it was verified: the next, or a new download
            return reading.read(paths)
    return reading.read(download.download(cache, seconds))
