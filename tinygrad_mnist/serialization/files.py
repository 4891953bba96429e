"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator


class WriteError(Exception):
    """A file cannot be written; the message names it and says why."""


class ReadError(Exception):
    """A file is not what it should be; the message names it and says why."""


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file for writing bytes, which takes the name `path` at the end.

    Whatever goes wrong on the way, even with the machine, what was at `path` before is still there
    and nothing else. A link is followed; what is there and no regular file (a terminal, a pipe) is
    written to as it is.

    Raises:
        WriteError: the file cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        temporary = _beside(target)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _fault(path, error) from error


def read(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        ReadError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error}).") from error


def check(path: Path) -> None:
    """Finds out, by a file that is removed again, whether `path` can be written.

    Raises:
        WriteError: it cannot.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "it is write-protected")
        if target.is_file() or not target.exists():
            temporary = _beside(target)
            temporary.touch(exist_ok=False)
            temporary.unlink()
    except OSError as error:
        raise _fault(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Waits until the folder's new entry is on the disk, where folders can be waited for."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def remove_leftovers(path: Path) -> None:
    """Removes what runs left behind that were killed while they wrote to `path`."""
    target = Path(os.path.realpath(path))
    for leftover in target.parent.glob(f"{_prefix(target)}*.tmp"):
        leftover.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}{secrets.token_hex(4)}.tmp")


def _prefix(target: Path) -> str:
    """How the names of the temporary files for a target begin: short, however long its own."""
    return f".tinygrad_mnist-{zlib.crc32(os.fsencode(target.name)):08x}-"


def _fault(path: Path, error: OSError) -> WriteError:
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        reason = "its folder does not exist; create it first"
    return WriteError(f"{path}: cannot be written ({reason}).")
