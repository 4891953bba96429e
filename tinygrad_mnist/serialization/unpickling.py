"""What the names in PyTorch's pickles stand for, and the tensors that are put together of them.

None of PyTorch's own functions is here, nor any that a name could reach: each stands for a small
one that makes one kind of thing and checks what it is given.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

from tinygrad_mnist import dtypes
from tinygrad_mnist._tensor import Size, Tensor, device, strided
from tinygrad_mnist.engine.record import Array, wrap
from tinygrad_mnist.nn.parameter import Parameter
from tinygrad_mnist.serialization.pickles import CONTAINERS, Vocabulary, check_key, read

from .storages import STORAGE_NAMES, in_memory

_OPCODES = CONTAINERS | {
    "LONG1", "BINFLOAT", "EMPTY_DICT", "EMPTY_SET", "SETITEM", "SETITEMS", "BINPERSID",
}  # fmt: skip
_NOT_CARRIED = {
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
_DOCUMENTED = "docs/differences.md tells what a file may hold."

Fetch = Callable[[dtypes.dtype, str, str, int], Array]
"""`fetch(kind, key, location, count)`: the memory of that many numbers under that key."""


def unpickle(content: bytes, fetch: Fetch) -> Any:
    """What a file's `data.pkl` holds, the memory of its tensors got by `fetch`.

    Raises:
        UnpicklingError: it is damaged, or holds more than tensors and plain containers.
    """

    def persistent_load(identifier: Any) -> Array:
        if not isinstance(identifier, tuple) or len(identifier) != 5:
            raise UnpicklingError("it refers to something else than a tensor's memory")
        mark, kind, key, location, count = identifier
        texts = isinstance(key, str) and isinstance(location, str)
        if mark != "storage" or not isinstance(kind, _Storage) or not texts:
            raise UnpicklingError("it refers to something else than a tensor's memory")
        if type(count) is not int or count < 0:
            raise UnpicklingError(f"it refers to the memory of {count} numbers")
        return fetch(kind.dtype, key, location, count)

    vocabulary = Vocabulary(
        _NAMES, _OPCODES, build=_build, text=_python2_text, persistent_load=persistent_load
    )
    try:
        return read(content, vocabulary)
    except UnpicklingError as error:
        raise UnpicklingError(f"Weights only load failed: {error}. {_DOCUMENTED}") from None
    except (NotImplementedError, RuntimeError):
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise UnpicklingError(
            f"Weights only load failed: the file is damaged ({type(error).__name__}: {error})."
        ) from error


class _Storage:
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
        raise UnpicklingError(f"it sets the attribute {taken[0]!r}, which has a meaning already")
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
        raise UnpicklingError(f"it encodes text as {encoding!r}")
    raw: bytes = text.encode("latin-1")
    return raw


def _bytes() -> bytes:
    return b""


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
        raise UnpicklingError(f"it has the layout {name!r}; only strided tensors are carried")
    return strided


def _device(kind: Any, index: Any = None) -> device:
    return device(kind) if index is None else device(kind, index)


def _size(lengths: Any = ()) -> Size:
    return Size(lengths)


def _python2_text(characters: str) -> str:
    return characters.encode("latin-1").decode("utf-8")


_NAMES: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _tensor_with_attributes,
    ("torch", "Tensor"): _Kind(Tensor),
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch.serialization", "_get_layout"): _layout,
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "Counter"): _counter,
    ("_codecs", "encode"): _encode,
    **{("torch", name): _Storage(name) for name in (*STORAGE_NAMES, *_NOT_CARRIED)},
    **{("torch", kind.name): kind for kind in dtypes._ALL},
}
for _module in ("builtins", "__builtin__"):
    _NAMES[_module, "set"] = _set
    _NAMES[_module, "bytes"] = _bytes
    _NAMES[_module, "bytearray"] = _bytearray
    _NAMES[_module, "complex"] = _complex
