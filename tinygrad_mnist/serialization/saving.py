"""`torch.save`: into PyTorch's file format, whole or not at all."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import PicklingError, encode_long
from types import ModuleType
from typing import IO, Any, cast

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Size, Tensor, device, layout
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn.parameter import Parameter
from tinygrad_mnist.serialization import files

from . import archive
from .archive import STORAGE_NAMES, memory_of


def save(
    obj: object,
    f: str | os.PathLike[str] | IO[bytes],
    pickle_module: ModuleType = pickle,
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
    path = Path(f) if isinstance(f, str | os.PathLike) else None
    if path is None and not callable(getattr(f, "write", None)):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    pickler = Pickler()
    content = pickler.dump(obj)
    if path is None:
        file = cast("IO[bytes]", f)
        _write(file, "archive", content, pickler.storages, order)
        file.flush()
        return
    folder = path.stem if path.stem.isascii() else ""
    try:
        with files.writing(path) as file:
            _write(file, folder or "archive", content, pickler.storages, order)
    except files.WriteError as error:
        if not path.parent.is_dir():
            raise RuntimeError(f"Parent directory {path.parent} does not exist.") from error
        raise RuntimeError(str(error)) from error


def _write(
    file: IO[bytes], folder: str, content: bytes, storages: list[Array], byteorder: bool
) -> None:
    with archive.writing(file, folder) as records:
        records.write("data.pkl", content)
        records.write(".format_version", b"1")
        records.write(".storage_alignment", b"64")
        if byteorder:
            records.write("byteorder", sys.byteorder.encode())
        for key, memory in enumerate(storages):
            records.write(f"data/{key}", memory)


_STORAGES = {kind: name for name, kind in STORAGE_NAMES.items()}
_BATCH = 1_000
"""Items between two marks."""


class Pickler:
    """Spells values; `pickle` is then the bytes, and `storages` the memory of the tensors."""

    def __init__(self) -> None:
        self.storages: list[Array] = []
        self._pickle = bytearray(b"\x80\x02")
        self._memo: dict[Any, tuple[int, Any]] = {}
        self._keys: dict[int, tuple[int, dtypes.dtype]] = {}

    def dump(self, value: Any) -> bytes:
        """The pickle of a value.

        Raises:
            PicklingError: it holds something that `torch.load` would not admit.
            RuntimeError: tensors of two types share memory.
        """
        self._save(value)
        return bytes(self._pickle + b".")

    def _save(self, value: Any) -> None:
        spell = _SPELLINGS.get(type(value))
        if spell is None:
            raise PicklingError(_refusal(value))
        if not self._recall(value):
            spell(self, value)

    def _recall(self, value: Any) -> bool:
        """Refers to what was spelled before; whether it was."""
        known = self._memo.get(_identity(value))
        if known is None:
            return False
        index = known[0]
        self._emit("h", "<B", index) if index < 256 else self._emit("j", "<I", index)
        return True

    def _remember(self, value: Any) -> None:
        index = len(self._memo)
        self._memo[_identity(value)] = index, value
        self._emit("q", "<B", index) if index < 256 else self._emit("r", "<I", index)

    def _emit(self, opcode: str, layout: str = "", *numbers: Any) -> None:
        self._pickle += opcode.encode("latin-1") + struct.pack(layout, *numbers)

    def _global(self, name: str) -> None:
        module, _, last = name.rpartition(".")
        key = _Name(name)
        if not self._recall(key):
            self._pickle += f"c{module}\n{last}\n".encode()
            self._remember(key)

    def _call(self, name: str, *arguments: Any) -> None:
        self._global(name)
        self._save(arguments)
        self._emit("R")

    def _of_call(self, value: Any) -> None:
        name, arguments = _CALLS[type(value)]
        self._call(name, *arguments(value))
        if not isinstance(value, complex | device | layout):
            self._remember(value)

    def _none(self, value: None) -> None:
        self._emit("N")

    def _bool(self, value: bool) -> None:
        self._emit("\x88" if value else "\x89", "")

    def _int(self, value: int) -> None:
        if 0 <= value < 2**8:
            self._emit("K", "<B", value)
        elif 0 <= value < 2**16:
            self._emit("M", "<H", value)
        elif -(2**31) <= value < 2**31:
            self._emit("J", "<i", value)
        else:
            digits = encode_long(value)
            if len(digits) > 255:
                raise PicklingError("an integer of more than 255 bytes cannot be saved")
            self._pickle += b"\x8a" + bytes([len(digits)]) + digits

    def _float(self, value: float) -> None:
        self._emit("G", ">d", value)

    def _str(self, value: str) -> None:
        raw = value.encode("utf-8", "surrogatepass")
        self._emit("X", "<I", len(raw))
        self._pickle += raw
        self._remember(value)

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if not value:
            self._emit(")")
            return
        if len(value) > 3:
            self._emit("(")
        for item in value:
            self._save(item)
        if _identity(value) in self._memo:
            raise PicklingError("a tuple that holds itself cannot be saved")
        self._pickle += (b"\x85", b"\x86", b"\x87", b"t")[min(len(value), 4) - 1]
        self._remember(value)

    def _list(self, value: list[Any]) -> None:
        self._emit("]")
        self._remember(value)
        self._items(value, self._save, "e")

    def _dict(self, value: dict[Any, Any]) -> None:
        self._emit("}")
        self._remember(value)
        self._dict_items(value)

    def _ordered_dict(self, value: OrderedDict[Any, Any]) -> None:
        self._call("collections.OrderedDict")
        self._remember(value)
        self._dict_items(value)
        if vars(value):
            self._save(vars(value))
            self._emit("b")

    def _dict_items(self, value: dict[Any, Any]) -> None:
        def save(item: tuple[Any, Any]) -> None:
            self._save(item[0])
            self._save(item[1])

        self._items(value.items(), save, "u")

    def _items(self, items: Iterable[Any], save: Callable[[Any], None], opcode: str) -> None:
        """Items in batches, each after a mark and before the opcode that takes them."""
        number = 0
        for number, item in enumerate(items):
            if number % _BATCH == 0:
                self._emit(opcode + "(" if number else "(")
            save(item)
        if items:
            self._emit(opcode)

    def _dtype(self, value: dtypes.dtype) -> None:
        self._global(f"torch.{value.name}")

    def _tensor(self, value: Any) -> None:
        attributes = value._attributes()
        if attributes:
            self._global("torch._tensor._rebuild_from_type_v2")
            self._emit("(")
            self._global("torch._utils._rebuild_tensor_v2")
            self._global("torch.Tensor")
            self._tensor_arguments(value, requires_grad=current_record(value) is not None)
            self._save(attributes)
            self._emit("tR")
        else:
            self._rebuilt(value, requires_grad=current_record(value) is not None)
        self._remember(value)

    def _parameter(self, value: Any) -> None:
        attributes = value._attributes()
        ending = "_with_state" if attributes else ""
        self._global(f"torch._utils._rebuild_parameter{ending}")
        self._emit("(")
        self._rebuilt(value, requires_grad=False)
        self._save(value.requires_grad)
        self._call("collections.OrderedDict")
        if attributes:
            self._save(attributes)
        self._emit("tR")
        self._remember(value)

    def _rebuilt(self, tensor: Any, requires_grad: bool) -> None:
        self._global("torch._utils._rebuild_tensor_v2")
        self._tensor_arguments(tensor, requires_grad)
        self._emit("R")

    def _tensor_arguments(self, tensor: Any, requires_grad: bool) -> None:
        """Where the tensor lies in which memory, and whether it requires a gradient; no hooks."""
        array = tensor._array
        memory, offset = memory_of(array)
        kind = dtypes.from_numpy_dtype(array.dtype)
        self._emit("((")
        self._save("storage")
        self._global(f"torch.{_STORAGES[kind]}")
        self._save(str(self._storage_key(memory, kind)))
        self._save("cpu")
        self._save(len(memory))
        self._emit("tQ")
        self._save(offset)
        self._save(tuple(array.shape))
        self._save(tuple(tensor.stride()))
        self._save(requires_grad)
        self._call("collections.OrderedDict")
        self._emit("t")

    def _storage_key(self, memory: Array, kind: dtypes.dtype) -> int:
        """The number of the memory among those to be saved."""
        key = len(self.storages)
        if len(memory):
            key, known = self._keys.setdefault(archive.address(memory), (key, kind))
            if known is not kind:
                raise RuntimeError(
                    "Cannot save multiple tensors or storages that view the same data as different "
                    "types"
                )
        if key == len(self.storages):
            self.storages.append(memory)
        return key


class _Name(str):
    """A global's name, which is no text of the same letters."""


def _identity(value: Any) -> Any:
    """What stands for a value in the memo: texts that are equal are one."""
    return (type(value), str(value)) if isinstance(value, str) else id(value)


_CALLS: dict[type, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    complex: ("__builtin__.complex", lambda value: (value.real, value.imag)),
    bytes: ("_codecs.encode", lambda value: (value.decode("latin-1"), "latin1")),
    bytearray: ("__builtin__.bytearray", lambda value: (bytes(value),)),
    set: ("__builtin__.set", lambda value: (list(value),)),
    Counter: ("collections.Counter", lambda value: (dict(value),)),
    Size: ("torch.Size", lambda value: (tuple(value),)),
    device: (
        "torch.device",
        lambda value: (value.type,) if value.index is None else (value.type, value.index),
    ),
    layout: ("torch.serialization._get_layout", lambda value: (str(value),)),
}
"""What is spelled as a call: the function's name, and its arguments for a value."""
_SPELLINGS: dict[type, Callable[[Pickler, Any], None]] = {
    **dict.fromkeys(_CALLS, Pickler._of_call),
    type(None): Pickler._none,
    bool: Pickler._bool,
    int: Pickler._int,
    float: Pickler._float,
    str: Pickler._str,
    tuple: Pickler._tuple,
    list: Pickler._list,
    dict: Pickler._dict,
    OrderedDict: Pickler._ordered_dict,
    dtypes.dtype: Pickler._dtype,
    Tensor: Pickler._tensor,
    Parameter: Pickler._parameter,
}


def _refusal(value: Any) -> str:
    """Why a value cannot be saved, and what to save instead."""
    told = f"an object of class {type(value).__qualname__} cannot be saved: "
    if hasattr(value, "state_dict"):
        return (
            f"{told}a file that rebuilds objects would have to run code when it is loaded. Save "
            "its state_dict(), and load it with load_state_dict() into a new one"
        )
    if isinstance(value, TensorBase):
        return f"{told}save .detach(), a plain tensor"
    if isinstance(value, dict):
        return f"{told}save dict(...) of it"
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return f"{told}save .item() of it, or torch.from_numpy(...) where it is an array"
    return (
        f"{told}torch.load admits tensors, numbers, texts, bytes and plain containers of them "
        "(dict, OrderedDict, list, tuple, set), and so does torch.save"
    )
