"""`torch.load`: from PyTorch's file format, without trusting the file."""

from __future__ import annotations

import io
import os
import pickle
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pickle import UnpicklingError
from types import ModuleType
from typing import IO, Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist._tensor.description import strided
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.memory import in_memory
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import wrap
from tinygrad_mnist.engine.wording import cut, shown
from tinygrad_mnist.nn.parameter import Parameter

from . import arrays, files, objects
from .archive import LEGACY, STORAGE_NAMES, ZIP, Reader
from .legacy import LegacyFile
from .pickles import CONTAINERS, Vocabulary, check_key, read

_OPCODES = CONTAINERS | {
    "LONG1", "BINFLOAT", "EMPTY_DICT", "EMPTY_SET", "SETITEM", "SETITEMS", "BINPERSID",
}  # fmt: skip
_NOT_CARRIED = {
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
_DOCUMENTED = "docs/differences.md tells what a file may hold."

Fetch = Callable[[dtypes.dtype, str, str, int], Array]
"""`fetch(kind, key, location, count)`: the memory of that many numbers under that key."""


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: str | device | dict[str, str] | Callable[[Any, str], Any] | None = None,
    pickle_module: ModuleType | None = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What a file holds that `torch.save` wrote, here or in PyTorch.

    The file is not trusted: it can name tensors, parameters, plain containers, numbers and texts,
    and nothing that it holds can run. Tensors that shared memory when they were saved share it
    again. A path that ends in `.safetensors` is read in that format.

    With `weights_only=False` it can also hold NumPy's arrays, and name layers and the program's own
    classes and functions, under a warning: trust the file, whose model you call.

    Args:
        f: a path of a regular file, or what has a binary file's `read`, `seek` and `tell`.
        map_location: where tensors go that were saved on a GPU: the CPU, by name, as a device, by
            a dictionary of places, or by a function of a storage and its place.
        pickle_module: None, and no other.
        weights_only: True, as it is by default, or False.
        mmap: tensors are read into memory even so; for a path only.
        **pickle_load_args: change nothing, with a warning.

    Raises:
        UnpicklingError: the file holds more than that, or is no file that `torch.save` writes.
        RuntimeError: its archive is damaged, or a tensor is to stay on a GPU.
        AttributeError: the program has no class of a name that the file gives.
        NotImplementedError: a tensor's type is not carried, or another is to read the pickle.

    >>> import io
    >>> file, model = io.BytesIO(), torch.nn.Linear(2, 1)
    >>> torch.save(torch.nn.Linear(2, 1).state_dict(), file)
    >>> _ = file.seek(0)
    >>> model.load_state_dict(torch.load(file, weights_only=True))
    <All keys matched successfully>
    """
    _check_trust(weights_only, pickle_module, pickle_load_args)
    is_path = isinstance(f, str | os.PathLike)
    if is_path and os.fspath(f).endswith(".safetensors"):  # type: ignore[arg-type]
        from .safetensors import load_file

        return load_file(f, "cpu" if map_location is None else map_location)  # type: ignore[arg-type]
    if mmap and not is_path:
        raise ValueError("f must be a file path in order to use the mmap argument")
    with _opened(f) as file:
        return _read(file, _placing(map_location), trusted=weights_only is False)


def _check_trust(
    weights_only: bool | None, pickle_module: Any, pickle_load_args: dict[str, Any]
) -> None:
    """Refuse what would have another read the file, which could run its code."""
    if weights_only is False:
        if pickle_load_args or pickle_module not in (None, pickle):
            raise NotImplementedError(
                "torch.load reads pickles by itself: leave out pickle_module and "
                f"{', '.join(pickle_load_args) or 'what goes with it'}"
            )
        return
    if pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", stacklevel=3)


def _opened(file: str | os.PathLike[str] | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    if isinstance(file, str | os.PathLike):
        return files.opened(file)
    try:
        file.seek(file.tell())
        _ = file.read
        return nullcontext(file)
    except (io.UnsupportedOperation, AttributeError) as error:
        raise type(error)(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the "
            "data into a buffer like io.BytesIO and try to load from it instead."
        ) from error


def _read(file: IO[bytes], place: Callable[[str], None], trusted: bool) -> Any:
    begin = file.read(len(LEGACY))
    if not isinstance(begin, bytes):
        raise AssertionError(f"Expected bytes, got {type(begin).__name__}")
    if not begin:
        raise EOFError("Ran out of input: the file is empty, or was read to its end before")
    if begin == LEGACY:
        return _read_legacy(file, place, trusted)
    if not begin.startswith(ZIP):
        raise UnpicklingError(
            "Weights only load failed: the file is none that torch.save writes, for it is no zip "
            "archive. Weights in safetensors are read by tinygrad_mnist.safetensors.load_file"
        )
    archive = Reader(file)
    archive.check_format()
    return unpickle(archive.read("data.pkl"), _Memory(archive, place).fetch, trusted)


def _read_legacy(file: IO[bytes], place: Callable[[str], None], trusted: bool) -> Any:
    try:
        old = LegacyFile(file, place)
        found = unpickle(old.pickle, old.fetch, trusted)
        old.fill()
    except (UnpicklingError, NotImplementedError, RuntimeError, AttributeError):
        raise
    except Exception as error:  # a damaged file raises anything
        raise UnpicklingError(
            "Weights only load failed: the file, in the format from before PyTorch's version 1.6, "
            f"is damaged ({type(error).__name__}: {cut(error)})."
        ) from error
    return found


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
                    f"it announces {count} numbers of {kind.name} in record data/{cut(key)}, which "
                    f"has {size} bytes"
                )
            memory = np.empty(count, kind.numpy)
            if count:
                self._archive.read_into(f"data/{key}", memory.view("u1").data)
            self._known[key] = memory
        memory = self._known[key]
        if memory.dtype != kind.numpy or len(memory) != count:
            raise UnpicklingError(f"it reads record data/{cut(key)} as numbers of two types")
        return memory


class _Storage:
    """What a function given as `map_location` sees of a tensor's memory."""

    def cpu(self) -> _Storage:
        """Itself: it is there."""
        return self

    def cuda(self, *arguments: Any) -> _Storage:
        """Refused: there is no GPU."""
        if device("cuda").type != "cpu":
            raise _no_gpu()
        return self


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


# What the names in a pickle stand for, and the tensors that are put together of them.


def _persistent_load(fetch: Fetch) -> Callable[[Any], Array]:
    def persistent_load(identifier: Any) -> Array:
        match identifier if isinstance(identifier, tuple) else None:
            case "storage", _StorageKind() as kind, str() as key, str() as location, count:
                pass
            case "storage", _StorageKind() as kind, str() as key, str() as location, count, None:
                pass  # as before PyTorch 1.6, where the last tells of what it is a part
            case _:
                raise UnpicklingError("it refers to something else than a tensor's memory")
        if type(count) is not int or count < 0:
            raise UnpicklingError(f"it refers to the memory of {shown(count)} numbers")
        return fetch(kind.dtype, key, location, count)

    return persistent_load


def _text(characters: str) -> str:
    return characters.encode("latin-1").decode("utf-8")


def unpickle(content: bytes, fetch: Fetch, trusted: bool = False) -> Any:
    """What a file's `data.pkl` holds, the memory of its tensors got by `fetch`.

    If it is `trusted`, it may hold objects of the program's own classes; else of those that the
    program says are safe.
    """
    may_hold = trusted or bool(objects.get_safe_globals())
    named: set[str] = set()

    def find(module: str, name: str) -> Any:
        if not (trusted or objects.is_safe(module, name)):
            raise UnpicklingError(
                f"WeightsUnpickler error: Unsupported global: GLOBAL {cut(module)}.{cut(name)} was "
                "not an allowed global by default. With weights_only=False, NumPy's arrays, whole "
                "modules and objects of this program's own classes are loaded: only if you trust "
                "the file"
            )
        named.add(f"{module}.{name}")
        return objects.find(module, name)

    def build(thing: Any, state: Any) -> None:
        if isinstance(thing, np.ndarray | np.dtype) and trusted:
            arrays.build(thing, state)
        else:
            known = type(thing) is OrderedDict or not may_hold
            (_build if known else objects.build)(thing, state)

    opcodes = _OPCODES | {"NEWOBJ"} if may_hold else _OPCODES
    names = _NAMES | arrays.NAMES if trusted else _NAMES
    vocabulary = Vocabulary(
        names, opcodes, build, _text, None, _persistent_load(fetch), find, objects.new
    )
    failed = "Load failed" if trusted else "Weights only load failed"
    try:
        found = read(content, vocabulary)
    except UnpicklingError as error:
        raise UnpicklingError(f"{failed}: {cut(error)}. {_DOCUMENTED}") from None
    except (NotImplementedError, RuntimeError, objects.MissingAttribute):
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise UnpicklingError(
            f"{failed}: the file is damaged ({type(error).__name__}: {cut(error)})."
        ) from error
    if named and trusted:
        warnings.warn(
            f"torch.load(weights_only=False) made objects of {cut(', '.join(sorted(named)))}, with "
            "what the file gives them. Load it only if you trust it: a model calls what it holds",
            stacklevel=4,
        )
    return found


class _StorageKind:
    """In the place of the class of a stretch of memory."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the numbers in it."""
        if self.name not in STORAGE_NAMES:
            kind = _NOT_CARRIED[self.name]
            raise NotImplementedError(
                f"the file holds a tensor of {kind}, which tinygrad_mnist does not carry: convert "
                "it in PyTorch, for example with .float(), and save it again"
            )
        return STORAGE_NAMES[self.name]


class _Kind:
    """In the place of a class that a tensor is said to be of."""

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __call__(self, *arguments: Any) -> Any:
        raise UnpicklingError(f"it calls {self.kind.__name__}, which needs no call")


def _build(thing: Any, state: Any) -> None:
    """Sets the attributes of an OrderedDict: PyTorch keeps the versions of a module's parts so."""
    if type(thing) is not OrderedDict or not isinstance(state, dict):
        raise UnpicklingError(f"it gives a state to a {type(thing).__name__}")
    _set_attributes(thing, state)


def _set_attributes(thing: Any, state: Any) -> None:
    if not isinstance(state, dict) or not all(type(name) is str for name in state):
        raise UnpicklingError("it gives attributes without names")
    taken = [name for name in state if hasattr(thing, name) or name == "_resting_leaf"]
    if taken:
        raise UnpicklingError(
            f"it sets the attribute {shown(taken[0])}, which has a meaning already"
        )
    thing.__dict__.update(state)


def _tensor(
    memory: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    metadata: Any = None,
) -> Any:
    if not isinstance(memory, Array.__origin__):  # type: ignore[attr-defined]
        raise UnpicklingError("it builds a tensor of something else than memory")
    if metadata:
        raise UnpicklingError("it holds a tensor with a conjugate or negative view")
    tensor = wrap(in_memory(memory, offset, tuple(size), stride))
    tensor.requires_grad_(requires_grad is True)
    return tensor


def _parameter(data: Any, requires_grad: Any, backward_hooks: Any, state: Any = None) -> Any:
    if not isinstance(data, Tensor):
        raise UnpicklingError("it makes a parameter of something else than a tensor")
    parameter = Parameter(data, requires_grad is True)
    if state:
        _set_attributes(parameter, state)
    return parameter


def _tensor_with_attributes(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    if function is not _tensor or not isinstance(kind, _Kind) or kind.kind is not Tensor:
        raise UnpicklingError("it holds a tensor of a class of its own")
    tensor = function(*arguments)
    _set_attributes(tensor, state)
    return tensor


def _ordered_dict(pairs: Any = ()) -> OrderedDict[Any, Any]:
    for key, _ in pairs:
        check_key(key)
    return OrderedDict(pairs)


def _counter(counts: Any = None) -> Counter[Any]:
    if counts is not None and type(counts) is not dict:
        raise UnpicklingError(f"it counts a {type(counts).__name__}")
    return Counter(counts)


def _set(items: Any = ()) -> set[Any]:
    for item in items:
        check_key(item)
    return set(items)


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes, which protocol 2 spells as text; other codecs would do more than that."""
    if encoding != "latin1":
        raise UnpicklingError(f"it encodes text as {shown(encoding)}")
    raw: bytes = text.encode("latin-1")
    return raw


def _bytearray(content: Any = b"", encoding: Any = None) -> bytearray:
    if encoding is not None:
        content = _encode(content, "latin1" if encoding == "latin-1" else encoding)
    if type(content) is not bytes:
        raise UnpicklingError(f"it makes bytes of a {type(content).__name__}")
    return bytearray(content)


def _complex(real: Any, imag: Any) -> complex:
    if type(real) is not float or type(imag) is not float:
        raise UnpicklingError("it makes a complex number of something else than two numbers")
    return complex(real, imag)


def _layout(name: Any) -> Any:
    if name != "torch.strided":
        raise UnpicklingError(f"it has the layout {shown(name)}; only strided tensors are carried")
    return strided


_NAMES: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _tensor_with_attributes,
    ("torch", "Tensor"): _Kind(Tensor),
    ("torch", "Size"): lambda lengths=(): Size(lengths),
    ("torch", "device"): lambda *place: device(*place),
    ("torch.serialization", "_get_layout"): _layout,
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "Counter"): _counter,
    ("_codecs", "encode"): _encode,
    **{("torch", name): _StorageKind(name) for name in (*STORAGE_NAMES, *_NOT_CARRIED)},
    **{("torch", kind.name): kind for kind in dtypes._ALL},
}
for _module in ("builtins", "__builtin__"):
    _NAMES[_module, "set"] = _set
    _NAMES[_module, "bytes"] = lambda: b""
    _NAMES[_module, "bytearray"] = _bytearray
    _NAMES[_module, "complex"] = _complex
