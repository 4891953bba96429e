"""`torch.load`: from PyTorch's file format, without trusting the file."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import device
from tinygrad_mnist.engine.record import Array

from .archive import LEGACY, ZIP, Reader
from .unpickling import unpickle


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What a file holds that `torch.save` wrote, here or in PyTorch.

    The file is not trusted: it can name tensors, parameters, plain containers, numbers and texts,
    and nothing that it holds can run. Tensors that shared memory when they were saved share it
    again. A path that ends in `.safetensors` is read in that format.

    Args:
        f: a path, or a file opened for reading bytes that can seek.
        map_location: where tensors go that were saved on a GPU: "cpu", a device, a dictionary of
            places, or a function of a storage and its place. There is only the CPU.
        pickle_module: None, and no other.
        weights_only: what it is in any case; False is refused.
        mmap: tensors are read into memory even so; for a path only.
        **pickle_load_args: change nothing, with a warning.

    Raises:
        UnpicklingError: the file holds more than that, or is no file that `torch.save` writes.
        RuntimeError: its archive is damaged, or a tensor was saved on a GPU and `map_location`
            sends it nowhere else.
        NotImplementedError: a tensor's type is not carried, or `weights_only` is False.

    >>> import io
    >>> import tinygrad_mnist as torch
    >>> file = io.BytesIO()
    >>> torch.save(torch.nn.Linear(2, 1).state_dict(), file)
    >>> _ = file.seek(0)
    >>> model = torch.nn.Linear(2, 1)
    >>> model.load_state_dict(torch.load(file, weights_only=True))
    <All keys matched successfully>
    """
    _check_trust(weights_only, pickle_module, pickle_load_args)
    is_path = isinstance(f, str | os.PathLike)
    if is_path and os.fspath(f).endswith(".safetensors"):  # type: ignore[arg-type]
        from tinygrad_mnist.serialization.safetensors import load_file

        return load_file(f, "cpu" if map_location is None else map_location)  # type: ignore[arg-type]
    if mmap and not is_path:
        raise ValueError("f must be a file path in order to use the mmap argument")
    with _opened(f) as file:
        return _read(file, _placing(map_location))


def _check_trust(
    weights_only: bool | None, pickle_module: Any, pickle_load_args: dict[str, Any]
) -> None:
    """Refuse what would run code from the file."""
    if weights_only is False:
        raise NotImplementedError(
            "torch.load(..., weights_only=False) would run code from the file, so it is not "
            "supported. Leave weights_only out; a file of more than tensors and plain containers "
            "must be converted in PyTorch: torch.save(model.state_dict(), path)"
        )
    if pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=3)


def _opened(f: str | os.PathLike[str] | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if isinstance(f, str | os.PathLike):
        return open(f, "rb")
    _check_readable(f)
    return nullcontext(f)


def _check_readable(file: Any) -> None:
    try:
        file.seek(file.tell())
        _ = file.read
    except (io.UnsupportedOperation, AttributeError) as error:
        raise type(error)(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the "
            "data into a buffer like io.BytesIO and try to load from it instead."
        ) from error


def _read(file: IO[bytes], place: Callable[[str], None]) -> Any:
    begin = file.read(len(LEGACY))
    if not begin:
        raise EOFError("Ran out of input: the file is empty, or was read to its end before")
    if begin == LEGACY:
        raise UnpicklingError(
            "Weights only load failed: the file is in the format that PyTorch wrote before its "
            "version 1.6. Load it in PyTorch and save it again: torch.save(torch.load(old), new)"
        )
    if not begin.startswith(ZIP):
        raise UnpicklingError(
            "Weights only load failed: the file is none that torch.save writes, for it is no zip "
            "archive. Weights in safetensors are read by tinygrad_mnist.safetensors.load_file"
        )
    archive = Reader(file)
    archive.check_format()
    return unpickle(archive.read("data.pkl"), _Memory(archive, place).fetch)


class _Memory:
    """The memory of an archive's tensors, each stretch read once, when a tensor needs it."""

    def __init__(self, archive: Reader, place: Callable[[str], None]) -> None:
        self._archive = archive
        self._place = place
        self._known: dict[str, Array] = {}

    def fetch(self, kind: dtypes.dtype, key: str, location: str, count: int) -> Array:
        """So many numbers of a type, from the record of that key."""
        if key not in self._known:
            self._place(location)
            size = self._archive.size(f"data/{key}")
            if size != count * kind.itemsize:
                raise UnpicklingError(
                    f"it announces {count} numbers of {kind.name} in record data/{key}, which has "
                    f"{size} bytes"
                )
            memory = np.empty(count, kind.numpy)
            if count:
                self._archive.read_into(f"data/{key}", memory.data.cast("B"))
            self._known[key] = memory
        memory = self._known[key]
        if memory.dtype != kind.numpy or len(memory) != count:
            raise UnpicklingError(f"it reads record data/{key} as numbers of two types")
        return memory


class _Storage:
    """What a function given as `map_location` sees of a tensor's memory."""

    def cpu(self) -> _Storage:
        """Itself: it is there."""
        return self

    def cuda(self, *arguments: Any) -> _Storage:
        """Refused: there is no GPU."""
        raise _no_gpu()


def _placing(map_location: Any) -> Callable[[str], None]:
    """A function that raises for a place which `map_location` does not turn into the CPU."""

    def place(location: str) -> None:
        wanted: Any = location
        if isinstance(map_location, dict):
            wanted = map_location.get(location, location)
        elif callable(map_location):
            storage = _Storage()
            placed = map_location(storage, location)
            wanted = "cpu" if placed is storage else location
        elif map_location is not None:
            wanted = map_location
        if device(wanted).type != "cpu":
            raise _no_gpu()

    if map_location is not None and not (
        isinstance(map_location, str | device | dict) or callable(map_location)
    ):
        raise TypeError(
            "map_location is a device, its name, a dictionary of places or a function, not "
            f"{type(map_location).__name__}"
        )
    return place


def _no_gpu() -> RuntimeError:
    return RuntimeError(
        "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
        "False. If you are running on a CPU-only machine, please use torch.load with "
        "map_location=torch.device('cpu') to map your storages to the CPU."
    )
