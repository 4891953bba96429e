"""The format that PyTorch wrote before its version 1.6: pickles one after another, then numbers."""

from __future__ import annotations

import os
import pickletools
import struct
from collections.abc import Callable
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array

from .pickles import CONTAINERS, Vocabulary, read

_PLAIN = Vocabulary({}, CONTAINERS | {"EMPTY_DICT", "SETITEM", "SETITEMS"}, build=print, text=str)
"""What the pickles beside the object's may say."""


class LegacyFile:
    """A file whose first pickle was read: what it holds, and the memory of its tensors.

    The numbers come last: `fetch` gives memory that `fill` writes into when all of it is known.
    """

    def __init__(self, file: IO[bytes], place: Callable[[str], None]) -> None:
        self._file, self._place = file, place
        self._memory: dict[str, Array] = {}
        self._pickle()  # the format's version, of which there was one
        if not read(self._pickle(), _PLAIN)["little_endian"]:
            raise UnpicklingError("Weights only load failed: it is from a big-endian machine")
        self.pickle = self._pickle()
        self._keys: list[Any] = read(self._pickle(), _PLAIN)
        here = file.tell()
        self._left = file.seek(0, os.SEEK_END) - here
        file.seek(here)

    def _pickle(self) -> bytes:
        """The next pickle; what it says is not carried out."""
        start = self._file.tell()
        for _ in pickletools.genops(self._file):
            pass
        size = self._file.tell() - start
        self._file.seek(start)
        return self._file.read(size)

    def fetch(self, kind: dtypes.dtype, key: str, location: str, count: int) -> Array:
        """Memory for so many numbers of a type."""
        if key not in self._memory:
            self._place(location)
            self._left -= count * kind.itemsize
            if self._left < 0:
                raise UnpicklingError("it announces more numbers than the file has")
            self._memory[key] = np.empty(count, kind.numpy)
        memory = self._memory[key]
        if memory.dtype != kind.numpy or len(memory) != count:
            raise UnpicklingError("it reads a tensor's memory as numbers of two types")
        return memory

    def fill(self) -> None:
        """Read the numbers, all of them, in the order of the file; raises ValueError otherwise."""
        if sorted(self._memory) != sorted(self._keys):
            raise ValueError("its tensors are not those that it lists")
        for key in self._keys:
            memory = self._memory[key]
            (count,) = struct.unpack("<q", self._file.read(8))
            content = self._file.read(memory.nbytes)
            if count != len(memory) or len(content) != memory.nbytes:
                raise ValueError(f"it has not the {len(memory)} numbers that it announces")
            memory.view("u1")[...] = np.frombuffer(content, "u1")
