"""Files that are written whole or not at all, and files that are read because they end."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import stat
import threading
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from tinygrad_mnist.engine.wording import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_PART = 1 << 16
"""Bytes that are read at a time beyond those that a file says it has."""


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
    and nothing else. A file that is there keeps its mode and owner. A link is followed where `open`
    would; what is there and no regular file (a terminal, a pipe) is written to as it is.

    Raises:
        WriteError: the file cannot be written.
    """
    try:
        target = _target(path)
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        temporary = _beside(target)
        with _removed(temporary):
            with open(temporary, "xb", opener=_like(target)) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
    except OSError as error:
        raise _fault(path, error) from error


@contextmanager
def _removed(temporary: Path) -> Iterator[None]:
    """Removes a file at the end of the block, even where a signal ends the process in it."""
    ending = [getattr(signal, name, signal.SIGTERM) for name in ("SIGTERM", "SIGHUP")]
    main = threading.current_thread() is threading.main_thread()
    taken = [each for each in ending if main and signal.getsignal(each) is signal.SIG_DFL]
    _temporary.add(temporary)
    for each in taken:
        signal.signal(each, _end)
    try:
        yield
    finally:
        temporary.unlink(missing_ok=True)
        _temporary.discard(temporary)
        for each in taken:
            signal.signal(each, signal.SIG_DFL)


_temporary: Final[set[Path]] = set()


def _end(number: int, _: object) -> None:
    """Ends the process as the signal would have, without its temporary files."""
    for path in _temporary:
        path.unlink(missing_ok=True)
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _like(target: Path) -> Callable[[str, int], int]:
    """Opens the file that will replace `target` with its mode and, where possible, its owner."""
    found = target.stat() if target.exists() else None

    def opener(name: str, flags: int) -> int:
        descriptor = os.open(name, flags, 0o666 if found is None else found.st_mode & 0o777)
        if found is not None and os.name == "posix":
            with suppress(PermissionError):
                os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fchmod(descriptor, found.st_mode & 0o777)
        return descriptor

    return opener


def _target(path: Path) -> Path:
    """The file that `path` means, if the system would open it for writing."""
    with suppress(FileNotFoundError):
        path.stat()  # raises where a link is not to be followed
    target = Path(os.path.realpath(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    return target


def opened(path: str | os.PathLike[str], most: int | None = None) -> BinaryIO:
    """A file opened for reading bytes: a regular one of at most so many, or standard input.

    Raises OSError for others too: a pipe or a device may never end, or never begin.
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and (most is None or found.st_size <= most):
        return file
    if stat.S_ISFIFO(found.st_mode) and os.path.samestat(found, os.fstat(0)):
        os.set_blocking(file.fileno(), True)
        return file
    file.close()
    if stat.S_ISREG(found.st_mode):
        raise _too_large(path, most)
    raise OSError(errno.EINVAL, "it is a pipe or a device, no regular file", path)


def _without_waiting(path: str, flags: int) -> int:
    """Opens a pipe even where nobody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _too_large(path: str | os.PathLike[str], most: int | None) -> OSError:
    return OSError(errno.EFBIG, f"it has more than the {most:,} bytes that are read", path)


def read(path: Path, most: int = 2**30) -> bytes:
    """The bytes of a file that `opened` opens.

    Raises:
        ReadError: it cannot be read, is no regular file, or has more than `most` bytes.
    """
    try:
        with opened(path, most) as file:
            parts, left = [], most
            while left >= 0 and (part := file.read(os.fstat(file.fileno()).st_size + _PART)):
                parts.append(part)
                left -= len(part)
            if left < 0:
                raise _too_large(path, most)
            return b"".join(parts)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReadError(f"{path}: cannot be read ({reason}).") from error


def check(path: Path) -> None:
    """Finds out, by a file that is removed again, whether `path` can be written.

    Raises:
        WriteError: it cannot.
    """
    try:
        target = _target(path)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if target.is_file() or not target.exists():
            temporary = _beside(target)
            temporary.touch(exist_ok=False)
            temporary.unlink()
    except OSError as error:
        raise _fault(path, error) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps a file to this process, among all that ask for it here, as long as the block runs.

    However a process ends, the system frees what it had locked.

    Raises:
        WriteError: another process has locked it, or no file can be made beside it.
    """
    target = Path(os.path.realpath(path))
    if os.name != "posix" or (target.exists() and not target.is_file()):
        yield
        return
    lock = target.with_name(f"{_prefix(target)}lock")
    try:
        descriptor = _locked(lock)
    except BlockingIOError as error:
        raise WriteError(f"{path}: another process is at work on it.") from error
    except OSError as error:
        raise _fault(path, error) from error
    try:
        with _removed(lock):
            yield
    finally:
        os.close(descriptor)


def _locked(lock: Path) -> int:
    """The open lock file; it may have been removed by who had it before, and is then made anew.

    Where the file system has no locks, none is held.
    """
    import fcntl

    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            return descriptor
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock.lstat()):
                return descriptor
        os.close(descriptor)


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
        there = Path(os.path.realpath(path)).parent.is_dir()
        reason = f"its folder {'takes no files' if there else 'does not exist; create it first'}"
    return WriteError(f"{path}: cannot be written ({reason}).")
