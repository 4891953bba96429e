"""`torch.save`: into PyTorch's file format, whole or not at all."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import IO, Any

from tinygrad_mnist.serialization import files

from . import archive
from .pickling import Pickler


def save(
    obj: object,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Saves tensors, and plain containers of them, in a file that PyTorch's `torch.load` reads.

    Args:
        obj: a tensor, a parameter, a number, text, bytes, dtype, Size or device; or a dict,
            OrderedDict, list, tuple or set of such, as deep as need be. Tensors that share memory
            share it again when they are loaded.
        f: a path, at which the file appears when it is complete; or a file opened for writing
            bytes.
        pickle_module: `pickle`, and no other.
        pickle_protocol: 2, and no other.

    Raises:
        PicklingError: `obj` holds something else, such as a whole module: save its state_dict().
        RuntimeError: the file cannot be written.
        ValueError: another pickle module or protocol, or the format before PyTorch 1.6.

    >>> import io
    >>> import tinygrad_mnist as torch
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2), "step": 3}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'weight': tensor([1., 1.]), 'step': 3}
    """
    if pickle_module is not pickle or pickle_protocol != 2 or not _use_new_zipfile_serialization:
        raise ValueError(
            "torch.save writes PyTorch's zip format with Python's pickle protocol 2, which is what "
            "PyTorch reads too: leave out pickle_module, pickle_protocol and "
            "_use_new_zipfile_serialization"
        )
    order = not _disable_byteorder_record
    if isinstance(f, str | os.PathLike):
        _save_at(Path(f), obj, order)
        return
    _check_writable(f)
    pickler = Pickler()
    _write(f, "archive", pickler.dump(obj), pickler.storages, order)
    f.flush()


def _save_at(path: Path, obj: object, order: bool) -> None:
    pickler = Pickler()
    content = pickler.dump(obj)
    folder = path.stem if path.stem.isascii() else "archive"
    try:
        with files.writing(path) as file:
            _write(file, folder or "archive", content, pickler.storages, order)
    except files.WriteError as error:
        if not path.parent.is_dir():
            raise RuntimeError(f"Parent directory {path.parent} does not exist.") from error
        raise RuntimeError(str(error)) from error


def _check_writable(file: Any) -> None:
    if not callable(getattr(file, "write", None)):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )


def _write(
    file: IO[bytes], folder: str, content: bytes, storages: list[Any], byteorder: bool
) -> None:
    with archive.writing(file, folder) as records:
        records.write("data.pkl", content)
        records.write(".format_version", b"1")
        records.write(".storage_alignment", b"64")
        if byteorder:
            records.write("byteorder", sys.byteorder.encode())
        for key, memory in enumerate(storages):
            records.write(f"data/{key}", memory)
