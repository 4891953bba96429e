"""`torch.save`: into PyTorch's file format, whole or not at all."""

from __future__ import annotations

import os
import pickle
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from pickle import PicklingError
from types import ModuleType
from typing import IO, Any, ClassVar, NamedTuple

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.memory import address, memory_of
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.types import layout
from tinygrad_mnist.engine.views import current_record
from tinygrad_mnist.nn.parameter import Parameter, is_lazy
from tinygrad_mnist.serialization import files

from . import archive, arrays, objects
from .archive import STORAGE_NAMES
from .pickles import MOST_NESTED


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
            OrderedDict, list, tuple or set of such, nested up to 10,000 deep. Tensors that share
            memory share it again when they are loaded. Whole modules, and other objects of the
            program's own classes, NumPy's arrays among them, by their class's name: see `load`.
        f: a path, where the file appears when it is complete, or a file opened for writing bytes.
        pickle_module: `pickle`, and no other.
        pickle_protocol: 2, and no other.

    Raises:
        PicklingError: `obj` holds something else, such as an optimiser: save its state_dict().
        RuntimeError: the file cannot be written.
        ValueError: another pickle module or protocol, or the format before PyTorch 1.6.

    >>> import io
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
    if not isinstance(f, str | os.PathLike) and not callable(getattr(f, "write", None)):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    content = (pickler := Pickler()).pickled(obj)
    with _opened(f) as (file, folder), archive.writing(file, folder) as records:
        records.write("data.pkl", content)
        records.write(".format_version", b"1")
        records.write(".storage_alignment", b"64")
        if not _disable_byteorder_record:
            records.write("byteorder", sys.byteorder.encode())
        for key, memory in enumerate(pickler.storages):
            records.write(f"data/{key}", memory.view("u1"))


@contextmanager
def _opened(f: str | os.PathLike[str] | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """The file to write to, whole or not at all, and the name of the folder in its archive."""
    if not isinstance(f, str | os.PathLike):
        yield f, "archive"
        f.flush()
        return
    path = Path(f)
    try:
        with files.writing(path) as file:
            yield file, (path.stem if path.stem.isascii() else "") or "archive"
    except files.WriteError as error:
        if not path.parent.is_dir():
            raise RuntimeError(f"Parent directory {path.parent} does not exist.") from error
        raise RuntimeError(str(error)) from error


class _Name(str):
    """The name of a class or function, by which a pickle refers to it."""

    __slots__ = ()

    def __call__(self) -> None:
        """Nothing: whoever reads the pickle calls what has that name."""


_name = cache(_Name)
"""One object a name, so that a pickle spells each name once."""


class _Storage(NamedTuple):
    """The memory of tensors, which a pickle refers to and does not hold."""

    kind: dtypes.dtype
    key: int
    length: int


class Pickler(pickle._Pickler):
    """Python's pickler, which names what PyTorch would, and refuses what would not be loaded."""

    dispatch: ClassVar[dict[type, Any]]
    memo: dict[int, tuple[int, object]]
    write: Callable[[bytes], object]
    get: Callable[[int], bytes]
    memoize: Callable[[object], None]

    def __init__(self) -> None:
        self.storages: list[Array] = []
        """The memory of the tensors, by key."""
        self._keys: dict[int, tuple[int, dtypes.dtype]] = {}
        self._open: set[int] = set()
        self._file = BytesIO()
        super().__init__(self._file, protocol=2)

    def pickled(self, value: object) -> bytes:
        """The pickle of a value; containers wait in a list for their parts, without recursion.

        Raises:
            PicklingError: it holds something that `torch.load` would not admit.
            RuntimeError: tensors of two types share memory.
        """
        self.write(pickle.PROTO + b"\x02")
        waiting = [iter((value,))]
        while waiting:
            for part in waiting[-1]:
                if (parts := self._write(part)) is not None:
                    waiting.append(parts)
                    break
            else:
                waiting.pop()
            if len(waiting) > MOST_NESTED + 1:
                raise PicklingError(f"what is nested more than {MOST_NESTED:,} deep is not saved")
        self.write(pickle.STOP)
        return self._file.getvalue()

    def _write(self, value: Any) -> Iterator[Any] | None:
        """Writes a value, or gives its parts as they are to be written, and writes what is between.

        Python's own way is taken where it will do.
        """
        kind = type(value)
        if id(value) in self.memo:
            self.write(self.get(self.memo[id(value)][0]))
        elif kind in _ATOMS:
            if kind is int and value.bit_length() > 2000 and len(pickle.encode_long(value)) > 255:
                raise PicklingError("an integer of more than 255 bytes cannot be saved")
            self.dispatch[kind](self, value)
        elif kind in _CONTAINERS:
            return _CONTAINERS[kind](self, value)
        elif type(reduced := self._reduced(value)) is not str:
            return self._call(value, *reduced)
        else:
            module, _, last = reduced.rpartition(".")
            self.write(f"c{module}\n{last}\n".encode())
            self.memoize(value)
        return None

    def _reduced(self, value: Any) -> Any:
        """The name of a value, or the arguments of `_call`."""
        kind = type(value)
        if kind in _REDUCED:
            return _REDUCED[kind](self, value)
        reduced = arrays.taken_apart(value) or objects.referred(value)
        reduced = reduced or objects.taken_apart(value)
        if reduced is None:
            raise PicklingError(_refusal(value))
        return reduced

    def write_storage(self, value: _Storage) -> Iterator[Any]:
        """What refers to memory."""
        kind = _name(f"torch.{_STORAGES[value.kind]}")
        yield "storage", kind, str(value.key), "cpu", value.length
        self.write(pickle.BINPERSID)

    def write_tuple(self, value: tuple[Any, ...]) -> Iterator[Any]:
        """A tuple, which is complete before it can be referred to."""
        if id(value) in self._open:
            raise PicklingError("a tuple that holds itself cannot be saved")
        self._open.add(id(value))
        if len(value) >= len(_TUPLES):
            self.write(pickle.MARK)
        yield from value
        self.write(_TUPLES[len(value)] if len(value) < len(_TUPLES) else pickle.TUPLE)
        self._open.discard(id(value))
        if value:
            self.memoize(value)

    def write_list(self, value: list[Any]) -> Iterator[Any]:
        """A list, which is empty at first."""
        self.write(pickle.EMPTY_LIST)
        self.memoize(value)
        return self._filled(value, pickle.APPEND, pickle.APPENDS)

    def write_dict(self, value: dict[Any, Any]) -> Iterator[Any]:
        """A dictionary, which is empty at first."""
        self.write(pickle.EMPTY_DICT)
        self.memoize(value)
        return self._filled(value.items(), pickle.SETITEM, pickle.SETITEMS)

    def _filled(self, items: Iterable[Any], one: bytes, several: bytes) -> Iterator[Any]:
        """The items in batches, each followed by the opcode that puts them in."""
        rest = iter(items)
        while batch := [*islice(rest, _BATCH)]:
            if len(batch) > 1:
                self.write(pickle.MARK)
            yield from chain.from_iterable(batch) if one == pickle.SETITEM else batch
            self.write(several if len(batch) > 1 else one)

    def _call(
        self,
        value: Any,
        function: Any,
        arguments: Any,
        state: Any = None,
        items: Any = (),
        opcode: bytes = pickle.REDUCE,
    ) -> Iterator[Any]:
        """A call that makes the value, the items of a dictionary, its attributes."""
        yield function
        yield arguments
        self.write(opcode)
        self.memoize(value)
        yield from self._filled(items, pickle.SETITEM, pickle.SETITEMS)
        if state is not None:
            yield state
            self.write(pickle.BUILD)

    def tensor(self, tensor: Any) -> tuple[Any, ...]:
        """The call that makes a tensor again, with its attributes."""
        rebuild = _name("torch._utils._rebuild_tensor_v2")
        arguments = self._arguments(tensor)
        attributes = tensor._attributes()
        if not attributes:
            return rebuild, arguments
        with_attributes = rebuild, _name("torch.Tensor"), arguments, attributes
        return _name("torch._tensor._rebuild_from_type_v2"), with_attributes

    def parameter(self, parameter: Any) -> tuple[Any, ...]:
        """The call that makes a parameter again, with its attributes."""
        hooks: OrderedDict[Any, Any] = OrderedDict()
        arguments = parameter.detach(), parameter.requires_grad, hooks
        attributes = parameter._attributes()
        if not attributes:
            return _name("torch._utils._rebuild_parameter"), arguments
        return _name("torch._utils._rebuild_parameter_with_state"), (*arguments, attributes)

    def _arguments(self, tensor: Any) -> tuple[Any, ...]:
        """Where the tensor lies in which memory, and whether it requires a gradient; no hooks."""
        array = tensor._array
        memory, offset = memory_of(array)
        kind = dtypes.from_numpy_dtype(array.dtype)
        storage = _Storage(kind, self._storage_key(memory, kind), len(memory))
        requires_grad = current_record(tensor) is not None
        return (
            storage,
            offset,
            tuple(array.shape),
            tuple(tensor.stride()),
            requires_grad,
            OrderedDict(),
        )

    def _storage_key(self, memory: Array, kind: dtypes.dtype) -> int:
        """The number of the memory among those to be saved."""
        key = len(self.storages)
        if len(memory):
            key, known = self._keys.setdefault(address(memory), (key, kind))
            if known is not kind:
                raise RuntimeError(
                    "Cannot save multiple tensors or storages that view the same data as different "
                    "types"
                )
        if key == len(self.storages):
            self.storages.append(memory)
        return key


def _call(name: str, arguments: Callable[[Any], tuple[Any, ...]]) -> Callable[..., Any]:
    return lambda pickler, value: (_name(name), arguments(value))


_STORAGES = {kind: name for name, kind in STORAGE_NAMES.items()}
_BATCH = 1_000
"""Items that one opcode puts into a list or dictionary, as in Python's own pickles."""
_ATOMS = frozenset((type(None), bool, int, float, str))
_TUPLES = pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3
_CONTAINERS: dict[type, Callable[[Pickler, Any], Iterator[Any]]] = {
    tuple: Pickler.write_tuple,
    list: Pickler.write_list,
    dict: Pickler.write_dict,
    _Storage: Pickler.write_storage,
}
_REDUCED: dict[type, Callable[[Pickler, Any], Any]] = {
    _Name: lambda pickler, value: str(value),
    complex: _call("__builtin__.complex", lambda value: (value.real, value.imag)),
    bytes: _call("_codecs.encode", lambda value: (value.decode("latin-1"), "latin1")),
    bytearray: _call("__builtin__.bytearray", lambda value: (bytes(value),)),
    set: _call("__builtin__.set", lambda value: (list(value),)),
    Counter: _call("collections.Counter", lambda value: (dict(value),)),
    OrderedDict: lambda pickler, value: (
        _name("collections.OrderedDict"), (), vars(value) or None, value.items()
    ),
    Size: _call("torch.Size", lambda value: (tuple(value),)),
    dtypes.dtype: lambda pickler, value: f"torch.{value.name}",
    device: _call(
        "torch.device",
        lambda value: (value.type,) if value.index is None else (value.type, value.index),
    ),
    layout: _call("torch.serialization._get_layout", lambda value: (str(value),)),
    Tensor: Pickler.tensor,
    Parameter: Pickler.parameter,
}  # fmt: skip
"""How a value of each other type is made again: by what name, or by which call."""


def _refusal(value: Any) -> str:
    """Why a value cannot be saved, and what to save instead."""
    told = f"an object of class {type(value).__qualname__} cannot be saved: "
    if is_lazy(value):
        return f"{told}it has no shape yet. Call its lazy module with a batch first"
    if hasattr(value, "state_dict"):
        return (
            f"{told}a file that rebuilds objects would have to run code when it is loaded. Save "
            "its state_dict(), and load it with load_state_dict() into a new one"
        )
    if isinstance(value, Tensor):
        return f"{told}save .detach(), a plain tensor"
    if isinstance(value, dict):
        return f"{told}save dict(...) of it"
    if hasattr(value, "dtype") and hasattr(value, "item"):
        return f"{told}save .tolist() of it"
    return (
        f"{told}torch.load admits tensors, numbers, texts, bytes and plain containers of them "
        "(dict, OrderedDict, list, tuple, set), and so does torch.save"
    )
