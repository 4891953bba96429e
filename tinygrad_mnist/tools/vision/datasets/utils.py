"""Files of data sets: downloaded whole or not at all, unpacked inside their folder only."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from pathlib import Path
from typing import Any

from tinygrad_mnist.serialization import files

MOST = 2**32
"""Bytes that a file may hold or unpack to."""
_PART = 2**20
_SECONDS = 30.0


def check_integrity(fpath: Any, md5: str | None = None) -> bool:
    """Whether there is such a file, with this MD5 sum if one is given."""
    if not os.path.isfile(fpath):
        return False
    with open(fpath, "rb") as file:
        return md5 is None or hashlib.file_digest(file, "md5").hexdigest() == md5


def download_url(url: str, root: Any, filename: Any = None, md5: str | None = None) -> None:
    """The file at `url` in the folder `root`, unless it is there already.

    Raises RuntimeError if it cannot be had, or its MD5 sum is another.
    """
    import requests

    path = Path(os.path.expanduser(root), filename or os.path.basename(url))
    if check_integrity(path, md5):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    asked: Any = {"headers": {"Accept-Encoding": "identity"}, "timeout": _SECONDS}
    try:
        with files.writing(path) as file, requests.get(url, stream=True, **asked) as response:
            response.raise_for_status()
            _copy(response.raw, file, url)
            file.flush()
            if not check_integrity(file.name, md5):
                raise RuntimeError(f"{url}: File not found or corrupted.")
    except (OSError, files.WriteError) as error:
        raise RuntimeError(f"{url}: cannot be downloaded ({error})") from error


def _copy(source: Any, target: Any, name: Any) -> None:
    """All bytes, if they are not too many."""
    left = MOST
    while chunk := source.read(_PART):
        left -= len(chunk)
        if left < 0:
            raise RuntimeError(f"{name}: holds more than {MOST:,} bytes")
        target.write(chunk)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, source: Path) -> None:
    place = (folder / member.name).resolve()
    inside = place.is_relative_to(folder.resolve())
    if not (inside and (member.isfile() or member.isdir())):
        raise RuntimeError(f"{source}: holds {member.name!r}, which is no file inside its folder")
    packed = archive.extractfile(member)
    if packed is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with packed, files.writing(place) as file:
            _copy(packed, file, source)


def extract_archive(from_path: Any, to_path: Any = None) -> None:
    """A .gz file, or an archive .tar, .tar.gz or .tgz, unpacked into a folder (its own).

    Raises RuntimeError where it is damaged, too large, or names a place outside the folder.
    """
    source = Path(from_path)
    folder = source.parent if to_path is None else Path(to_path)
    try:
        if source.suffix == ".gz" and not source.name.endswith(".tar.gz"):
            with gzip.open(source) as packed, files.writing(folder / source.stem) as file:
                _copy(packed, file, source)
            return
        with tarfile.open(source) as archive:
            if sum(member.size for member in archive) > MOST:
                raise RuntimeError(f"{source}: unpacks to more than {MOST:,} bytes")
            for member in archive:
                _unpack(archive, member, folder, source)
    except (EOFError, OSError, tarfile.TarError, zlib.error, files.WriteError) as error:
        raise RuntimeError(f"{source}: cannot be unpacked ({error})") from error


def download_and_extract_archive(
    url: str, download_root: Any, filename: Any = None, md5: str | None = None
) -> None:
    """`download_url`, then `extract_archive`."""
    root, name = os.path.expanduser(download_root), filename or os.path.basename(url)
    download_url(url, root, name, md5)
    extract_archive(os.path.join(root, name))
