"""Tensors and plain containers as the pickle that PyTorch would write of them.

Every kind of value has a method that spells it. What `torch.load` would refuse is refused here,
while there is still something to save.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from pickle import PicklingError, encode_long
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Size, Tensor, device, layout
from tinygrad_mnist.engine.record import TensorBase
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn.parameter import Parameter

from .storages import STORAGE_NAMES, memory_of

_STORAGES = {kind: name for name, kind in STORAGE_NAMES.items()}
_BATCH = 1_000
"""Items between two marks."""


class Pickler:
    """Spells values; `pickle` is then the bytes, and `storages` the memory of the tensors."""

    def __init__(self) -> None:
        self.storages: list[Any] = []
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

    def _complex(self, value: complex) -> None:
        self._call("__builtin__.complex", value.real, value.imag)

    def _str(self, value: str) -> None:
        raw = value.encode("utf-8", "surrogatepass")
        self._emit("X", "<I", len(raw))
        self._pickle += raw
        self._remember(value)

    def _bytes(self, value: bytes) -> None:
        self._call("_codecs.encode", value.decode("latin-1"), "latin1")
        self._remember(value)

    def _bytearray(self, value: bytearray) -> None:
        self._call("__builtin__.bytearray", bytes(value))
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
        self._items(value, lambda item: self._save(item), "e")

    def _set(self, value: set[Any]) -> None:
        self._call("__builtin__.set", list(value))
        self._remember(value)

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

    def _counter(self, value: Counter[Any]) -> None:
        self._call("collections.Counter", dict(value))
        self._remember(value)

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

    def _size(self, value: Size) -> None:
        self._call("torch.Size", tuple(value))
        self._remember(value)

    def _dtype(self, value: dtypes.dtype) -> None:
        self._global(f"torch.{value.name}")

    def _device(self, value: device) -> None:
        self._call(
            "torch.device", *(part for part in (value.type, value.index) if part is not None)
        )

    def _layout(self, value: Any) -> None:
        self._call("torch.serialization._get_layout", str(value))

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

    def _storage_key(self, memory: Any, kind: dtypes.dtype) -> int:
        """The number of the memory among those to be saved."""
        key = len(self.storages)
        if len(memory):
            address = memory.__array_interface__["data"][0]
            key, known = self._keys.setdefault(address, (key, kind))
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


_SPELLINGS: dict[type, Callable[[Pickler, Any], None]] = {
    type(None): Pickler._none,
    bool: Pickler._bool,
    int: Pickler._int,
    float: Pickler._float,
    complex: Pickler._complex,
    str: Pickler._str,
    bytes: Pickler._bytes,
    bytearray: Pickler._bytearray,
    tuple: Pickler._tuple,
    list: Pickler._list,
    set: Pickler._set,
    dict: Pickler._dict,
    OrderedDict: Pickler._ordered_dict,
    Counter: Pickler._counter,
    Size: Pickler._size,
    dtypes.dtype: Pickler._dtype,
    device: Pickler._device,
    layout: Pickler._layout,
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
