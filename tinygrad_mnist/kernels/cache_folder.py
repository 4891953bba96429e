"""The folders that keep things from one run to the next, each checked before anything is read.

Compiled code is kept as pickles, which can run anything when they are read. So a folder is used
only where nobody but this user, and whoever administers the machine, can have put anything into it,
and of a folder for code each file is checked before it is read.
"""

from __future__ import annotations

import errno
import functools
import operator
import os
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

VARIABLE: Final = "NUMBA_CACHE_DIR"
_PRIVATE: Final = 0o700
_OTHERS: Final = 0o077
_CODE: Final = (".nbc", ".nbi")
_DAY: Final = 24 * 3600.0


def for_code(*names: str) -> Path | None:
    """The folder of this name for compiled code: under `NUMBA_CACHE_DIR`, else the user's cache.

    Returns None, and says why once on stderr, where others could have put something into it. Its
    files are read by `read`.
    """
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return _checked(*_users(), *names)
    return _checked(os.path.abspath(chosen), f"tinygrad_mnist-{_user()}", *names)


def for_data(*names: str) -> Path | None:
    """The folder of this name in the user's cache, or None, as `for_code` gives it.

    What lies in it is checked, too.
    """
    return _checked(*_users(), *names, files=True)


def _users() -> tuple[str, str]:
    import platformdirs

    root = platformdirs.user_cache_path("tinygrad_mnist", appauthor=False)
    return str(root.parent), root.name


def read(file: Path) -> bytes:
    """What a file holds, which only this user can have written; OSError, said once, of others.

    It counts as used today.
    """
    flags = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
    try:
        opened = os.open(file, functools.reduce(operator.or_, flags, os.O_RDONLY))
    except OSError as error:
        if error.errno == errno.ELOOP:
            _refuse(file)
        raise
    with open(opened, "rb") as content:
        found = os.fstat(opened)
        if os.name == "posix" and not _only_ours(found, _others_write(found)):
            _refuse(file)
        if time.time() - found.st_mtime > _DAY:
            with suppress(OSError):  # a disk that can only be read
                os.utime(file)
        return content.read()


def _only_ours(found: os.stat_result, could_write: int) -> bool:
    """Whether something in a folder is this user's file, or folder, and nobody else's to write."""
    kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return kind and found.st_uid == _user() and not found.st_mode & could_write


def _refuse(entry: str | Path) -> NoReturn:
    reason = f"{entry} may have been put there by others: remove it"
    _say(reason)
    raise OSError(reason)


def keep(file: Path, content: bytes) -> bool:
    """Put a file into such a folder, whole or not at all; whether it could be written."""
    name = None
    try:
        opened, name = tempfile.mkstemp(dir=file.parent)
        with open(opened, "wb") as temporary:
            temporary.write(content)
        os.replace(name, file)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.unlink(name or "")
    return True


LIMIT: Final = "TINYGRAD_MNIST_CACHE_MB"
"""The variable that says how much compiled code may be kept."""
_LIMIT: Final = 512
_UNUSED: Final = 30 * _DAY


@functools.cache
def prune() -> None:
    """Remove compiled code that was not used for a month, then the longest unused above the limit.

    Once a process; of several that do so at once, each finds gone what another removed.
    """
    root, chosen = for_code(), os.environ.get(LIMIT, "")
    if root is None:
        return
    rest = 2**20 * (int(chosen) if chosen.isdecimal() else _LIMIT)
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            with suppress(OSError):
                file = os.path.join(folder, name)
                if name.endswith(_CODE) or name.startswith("tmp"):
                    found.append((os.lstat(file), file))
    removed = False
    for status, file in sorted(found, key=lambda each: -each[0].st_mtime):
        rest -= status.st_size
        if rest < 0 or time.time() - status.st_mtime > _UNUSED:
            removed = True
            with suppress(OSError):
                os.unlink(file)
    for marker in root.glob("code/*.compiled") if removed else ():
        marker.unlink(missing_ok=True)


def _user() -> int:
    return os.geteuid() if os.name == "posix" else 0


def _checked(root: str, *names: str, files: bool = False) -> Path | None:
    """The folder `root/names`, made where it is missing, if it, or its files, are safe."""
    path = Path(root, *names)
    try:
        if not os.path.isabs(root):
            raise OSError(f"{root} is no absolute path")
        if os.name == "posix":
            _check(root, names, files)
        else:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
        return None
    return path


def _check(root: str, names: tuple[str, ...], files: bool) -> None:
    """Goes down to the folder, as the system would; raises OSError where others can interfere.

    In a folder that only this user or the system's owner can write, or has the sticky bit, nobody
    else can replace what is theirs: what was checked stays so.
    """
    here, steps = "/", [*names[::-1], *_steps(root)]
    followed = 0
    while steps:
        ours = len(steps) <= len(names)
        here = os.path.join(here, steps.pop())
        with suppress(FileExistsError):  # another process made it first
            if not os.path.lexists(here):
                os.mkdir(here, _PRIVATE)
        status = os.lstat(here)
        if stat.S_ISLNK(status.st_mode) and not ours:
            followed += 1
            if followed > 40:
                raise OSError(f"{here} leads in a circle")
            _check_owner(here, status)
            steps += _steps(os.readlink(here))
            here = "/" if os.path.isabs(os.readlink(here)) else os.path.dirname(here)
        elif not stat.S_ISDIR(status.st_mode):
            raise OSError(f"{here} is no folder")
        elif ours:
            _check_own(here, status, files and not steps)
        else:
            _check_owner(here, status)
            if status.st_mode & _others_write(status) and not status.st_mode & stat.S_ISVTX:
                raise OSError(f"{here} can be written by others")


def _steps(path: str) -> list[str]:
    """The names on the way along a path, the last first."""
    return [name for name in path.split("/") if name][::-1]


def _check_owner(entry: str, status: os.stat_result) -> None:
    """On the way down, what belongs to the owner of the whole system is trusted too."""
    if status.st_uid not in (0, _user(), os.stat("/").st_uid):
        raise OSError(f"{entry} belongs to another user")


def _check_own(folder: str, status: os.stat_result, files: bool) -> None:
    """A folder must be this user's, and closed to others; what lies in it too, if it is asked."""
    if status.st_uid != _user():
        raise OSError(f"{folder} belongs to another user")
    if status.st_mode & _others_write(status):
        raise OSError(f"{folder} can be written by others: remove it")
    could_write = _others_write(status) if status.st_mode & _OTHERS else 0
    for name in os.listdir(folder) if files else ():
        entry = os.path.join(folder, name)
        with suppress(FileNotFoundError):  # another process's temporary file
            if not _only_ours(os.lstat(entry), could_write):
                raise OSError(f"{entry} may have been put there by others: remove it")
    if could_write:
        with suppress(OSError):  # a disk that can only be read
            os.chmod(folder, _PRIVATE)


def _others_write(status: os.stat_result) -> int:
    """The bits of a mode that let others write: not those of a group where there are no others."""
    return stat.S_IWOTH if _no_others_in(status.st_gid) else stat.S_IWOTH | stat.S_IWGRP


@functools.cache
def _no_others_in(group: int) -> bool:
    """Whether it is the system's own group, or one of this user alone, which bears their name."""
    import grp
    import pwd

    try:
        user, members = pwd.getpwuid(_user()), grp.getgrgid(group)
    except KeyError:
        return group == 0
    alone = members.gr_name == user.pw_name and {user.pw_name}.issuperset(members.gr_mem)
    return group == 0 or (alone and user.pw_gid == group)


@functools.cache
def _say(reason: str) -> None:
    """Once for each reason."""
    sys.stderr.write(f"tinygrad_mnist: keeps nothing for the next run: {reason}\n")
