"""PyTorch's zip archives: their records, by name, and the memory of tensors that lies in them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.wording import cut, shown

STORAGE_NAMES = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ByteStorage": dtypes.uint8,
    "CharStorage": dtypes.int8,
    "ShortStorage": dtypes.int16,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "BoolStorage": dtypes.bool,
}
"""What PyTorch calls a stretch of memory that holds numbers of a type."""
_ALIGNMENT = 64
"""Records begin at multiples of this, so that PyTorch can map tensors from the file."""
_HEADER = 30
"""Bytes of a zip entry's header before its name."""
_SIZES = 20
"""Bytes that the zip format adds to the header of a large entry, for its sizes."""
_NEWEST_VERSION = 10
_PART = 1 << 20
"""Bytes that are copied at a time."""
_LONGEST_WORD = 100
"""Bytes of a record that is a number or a word."""

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files begin that PyTorch wrote before its version 1.6."""


class Writer:
    """Writes records into an archive."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder

    def write(self, name: str, content: Any) -> None:
        """A record, its content anything with bytes in a row."""
        view = memoryview(content).cast("B") if len(content) else b""
        entry = zipfile.ZipInfo(f"{self._folder}/{name}")
        entry.create_system = 0
        entry.file_size = len(view)
        large = entry.file_size > zipfile.ZIP64_LIMIT // 2
        start = self._archive.fp.tell() if self._archive.fp else 0
        start += _HEADER + len(entry.filename.encode()) + (_SIZES if large else 0) + 4
        padding = -start % _ALIGNMENT
        entry.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
        with self._archive.open(entry, "w", force_zip64=large) as record:
            record.write(view)


@contextmanager
def writing(file: IO[bytes], folder: str) -> Iterator[Writer]:
    """An archive that is written into `file`, its records in a folder of that name."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        writer = Writer(archive, folder)
        yield writer
        writer.write("version", b"3\n")


class Reader:
    """The records of an archive, not trusted: their sizes must fit the file.

    Raises:
        RuntimeError: the archive is damaged, or is none that `torch.save` writes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        with _told("zip archive"):
            file.seek(0, 2)
            self._size = file.tell()
            self._archive = zipfile.ZipFile(file if hasattr(file, "seekable") else _Seekable(file))
            self._entries = {entry.filename: entry for entry in self._archive.infolist()}
            self._check_sizes()
        self._folder = self._find_folder()

    def _check_sizes(self) -> None:
        entries = self._archive.infolist()
        if len(self._entries) < len(entries):
            raise ValueError("two records have one name")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise ValueError(
                    f"record {shown(entry.filename)} is compressed or encrypted, as torch.save "
                    "never leaves it"
                )
            if entry.compress_size != entry.file_size:
                raise ValueError(f"record {shown(entry.filename)} has two sizes")
        if sum(entry.file_size for entry in entries) > self._size:
            raise ValueError("the records announce more than the file holds")

    def _find_folder(self) -> str:
        folders = [name.removesuffix("data.pkl") for name in self._entries]
        found = [folder for folder in folders if f"{folder}data.pkl" in self._entries]
        if len(found) != 1:
            raise _failure("zip archive", "it has no record data.pkl: torch.save did not write it")
        if f"{found[0]}constants.pkl" in self._entries:
            raise RuntimeError(
                "Cannot use ``weights_only=True`` with TorchScript archives passed to "
                "``torch.load``. In PyTorch, save the model's state_dict() instead."
            )
        return found[0]

    def __contains__(self, name: str) -> bool:
        return self._folder + name in self._entries

    def size(self, name: str) -> int:
        """How many bytes a record has."""
        return self._entry(name).file_size

    def read(self, name: str) -> bytes:
        """A record's bytes."""
        entry = self._entry(name)
        with _told(f"file {cut(entry.filename)}"):
            return self._archive.read(entry)

    def read_word(self, name: str) -> str:
        """A record's text, which is a number or a word."""
        if self.size(name) > _LONGEST_WORD:
            raise _failure(f"file {name}", "it is longer than what it may say")
        return self.read(name).decode("latin-1").strip()

    def read_into(self, name: str, memory: memoryview) -> None:
        """Fills memory of just the record's size with it."""
        entry = self._entry(name)
        with _told(f"file {cut(entry.filename)}"), self._archive.open(entry) as record:
            start = 0
            while start < len(memory):
                part = record.read(_PART)
                if not part:
                    raise ValueError("it is shorter than it says")
                memory[start : start + len(part)] = part
                start += len(part)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._entries[self._folder + name]
        except KeyError:
            raise _failure(f"file {cut(name)}", "file not found") from None

    def check_format(self) -> None:
        """RuntimeError unless the archive's version and byte order are those read here."""
        if "version" in self:
            version = self.read_word("version")
            if not (version.isascii() and version.isdigit()) or int(version) > _NEWEST_VERSION:
                raise RuntimeError(
                    f"the file says it has version {version!r} of PyTorch's format; versions up "
                    f"to {_NEWEST_VERSION} are read"
                )
        order = self.read_word("byteorder") if "byteorder" in self else "little"
        if order == "big":
            raise RuntimeError(
                "the file was written on a big-endian machine, whose byte order is not read here: "
                "load it in PyTorch and save it again on this machine"
            )
        if order != "little":
            raise ValueError(f"Unknown endianness type: {order}")


class _Seekable:
    """A file object of the methods that PyTorch asks for, with what zipfile asks besides."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell

    def seekable(self) -> bool:
        """Whether it can seek: it was tried."""
        return True


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tells in PyTorch's words of what zipfile finds wrong, which may be anything."""
    try:
        yield
    except Exception as error:
        told = f"{cut(error)}. The file is damaged, or was not copied whole"
        raise _failure(what, told) from error


def _failure(what: str, reason: object) -> RuntimeError:
    return RuntimeError(f"PytorchStreamReader failed reading {what}: {reason}")
