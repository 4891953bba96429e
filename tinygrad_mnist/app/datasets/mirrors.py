"""Where MNIST can be downloaded, and trying one address after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from . import reading
from .deadline import within
from .download import Effort, fetch
from .errors import DataError, TransferError
from .locations import IDX_FILES, PICKLE, VARIABLE
from .progress import download_bars

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Mirror:
    """An address, ending in a slash, under which a complete set of files lies."""

    url: str
    files: tuple[str, ...]


_IDX_GZ = tuple(f"{file}.gz" for file in IDX_FILES)
# The IDX files come first: they are smaller than the tutorial's pickle and read faster.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_GZ),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_GZ),
    Mirror("https://github.com/pytorch/tutorials/raw/main/_static/", (f"{PICKLE}.gz",)),
)


def download(folder: Path, seconds: float | None = None) -> list[Path]:
    """Puts MNIST into `folder`, from the first mirror that has it; returns the files, verified.

    Args:
        folder: made if it does not exist.
        seconds: give up after so long, with fewer attempts an address.

    Raises:
        DataError: no mirror delivers, the folder cannot be written, or the time is up.
    """
    with download_bars() as report:
        if seconds is None:
            return _from_any(folder, Effort(report=report))
        hurried = Effort(attempts=2, report=report)
        try:
            return within(
                seconds,
                lambda cancelled: _from_any(folder, replace(hurried, cancelled=cancelled)),
            )
        except TimeoutError as error:
            raise DataError(
                f"MNIST could not be downloaded within {seconds:g} s; data='mnist' takes the "
                "time it needs."
            ) from error


def _from_any(folder: Path, effort: Effort) -> list[Path]:
    faults = []
    for mirror in MIRRORS:
        try:
            return [_fetch_once(mirror.url + file, folder / file, effort) for file in mirror.files]
        except TransferError as error:
            faults.append(str(error))
    raise DataError(
        "MNIST could not be downloaded:\n  "
        + "\n  ".join(faults)
        + f"\nTry again when online, set {VARIABLE} to a folder that holds mnist.pkl.gz or "
        "the four IDX files, or take data='synthetic' (--data synthetic)."
    )


def _fetch_once(url: str, target: Path, effort: Effort) -> Path:
    """The target, downloaded unless it is there already and right."""
    check = partial(reading.check, target.name.removesuffix(".gz"))
    try:
        check(reading.raw_content(target), str(target))
    except DataError:
        fetch(url, target, check, effort)
    return target
