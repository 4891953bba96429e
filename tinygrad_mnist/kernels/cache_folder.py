"""The folders that keep things from one run to the next, each checked before anything is read.

Compiled code is kept as pickles, which can run anything when they are read. So a folder is used
only where nobody but this user, and whoever administers the machine, can have put anything into it.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

VARIABLE: Final = "NUMBA_CACHE_DIR"
_PRIVATE: Final = 0o700
_OTHERS: Final = 0o077


def for_code(*names: str) -> Path | None:
    """The folder of this name for compiled code: under `NUMBA_CACHE_DIR`, else the user's cache.

    Returns None, and says why once on stderr, where others could have put something into it.
    """
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return for_data(*names)
    return _checked(os.path.abspath(chosen), f"tinygrad_mnist-{_user()}", *names)


def for_data(*names: str) -> Path | None:
    """The folder of this name in the user's cache, or None, as `for_code` gives it."""
    import platformdirs

    root = platformdirs.user_cache_path("tinygrad_mnist", appauthor=False)
    return _checked(str(root.parent), root.name, *names)


def read(file: Path) -> bytes:
    """What such a folder's file holds."""
    return file.read_bytes()


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


def _user() -> int:
    return os.geteuid() if os.name == "posix" else 0


def _checked(root: str, *names: str) -> Path | None:
    """The folder `root/names`, made where it is missing, if it is safe from others."""
    path = Path(root, *names)
    try:
        if not os.path.isabs(root):
            raise OSError(f"{root} is no absolute path")
        if os.name == "posix":
            _check(root, names)
        else:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
        return None
    return path


def _check(root: str, names: tuple[str, ...]) -> None:
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
            _check_own(here, status, last=not steps)
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


def _check_own(folder: str, status: os.stat_result, last: bool) -> None:
    """A folder must be this user's, and closed to others; what lies in the last one too."""
    if status.st_uid != _user():
        raise OSError(f"{folder} belongs to another user")
    if status.st_mode & _others_write(status):
        raise OSError(f"{folder} can be written by others: remove it")
    could_write = _others_write(status) if status.st_mode & _OTHERS else 0
    for name in os.listdir(folder) if last else ():
        entry = os.path.join(folder, name)
        with suppress(FileNotFoundError):  # another process's temporary file
            found = os.lstat(entry)
            kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            if not kind or found.st_uid != _user() or found.st_mode & could_write:
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
