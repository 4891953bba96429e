"""Files that are written whole or not at all, and files that are read because they end."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tinygrad_mnist.engine.wording import cut

if TYPE_CHECKING:
    from collections.abc import Iterator


class WriteError(Exception):
    """A file cannot be written; the message names it and says why."""


class ReadError(Exception):
    """A file is not what it should be; the message names it and says why."""

    def __init__(self, message: str) -> None:
        super().__init__(cut(message, 4_000))


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


def opened(path: str | os.PathLike[str], most: int | None = None) -> BinaryIO:
    """A file opened for reading bytes: a regular one, of at most so many.

    Raises OSError for others too: a pipe or a device may never end, or never begin.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and (most is None or found.st_size <= most):
        return file
    file.close()
    if stat.S_ISREG(found.st_mode):
        raise OSError(errno.EFBIG, f"it has more than the {most:,} bytes that are read", path)
    raise OSError(errno.EINVAL, "it is a pipe or a device, no regular file", path)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe even where nobody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def read(path: Path, most: int = 2**30) -> bytes:
    """The bytes of a regular file.

    Raises:
        ReadError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    try:
        with opened(path, most) as file:
            return file.read(most)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReadError(f"{path}: cannot be read ({reason}).") from error


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
