"""Objects of a program's own classes, whole modules among them: saved by reference to the class.

A file tells of each object its class's name and its attributes. Only the program that has the
class can make the object again, and only where it asks for that (`weights_only=False`). Even then
no more is made than layers of this engine and objects of classes of the program's own files, and
no more is called than their `__new__` and `__setstate__`.
"""

from __future__ import annotations

import contextlib
import copyreg
import importlib
import importlib.util
import os
import pickle
import sys
from pickle import PicklingError, UnpicklingError
from types import FunctionType
from typing import Any

import tinygrad_mnist
from tinygrad_mnist import nn
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.wording import cut

_PLAIN = frozenset((("argparse", "Namespace"),))
"""Classes of Python's, with its module, whose objects are attributes and no more."""
_PYTHONS = os.path.dirname(os.__file__) + os.sep
_OURS = os.path.dirname(tinygrad_mnist.__file__) + os.sep
_INSTALLED = ("site-packages", "dist-packages")


class MissingAttribute(AttributeError):
    """The program has no class of a name that a file gives."""


def _is_own(module: str) -> bool:
    """Whether a module is one of the program's own files; it need not be imported yet."""
    if module in ("__main__", "__mp_main__"):
        return True
    found = sys.modules.get(module)
    spec = importlib.util.find_spec(module.partition(".")[0]) if found is None else found.__spec__
    if spec is None or not (spec.has_location or spec.submodule_search_locations):
        return False
    place = spec.origin or next(iter(spec.submodule_search_locations or ()))
    return not (
        place.startswith((_PYTHONS, _OURS)) or any(folder in place for folder in _INSTALLED)
    )


_ROOMS = {
    "torch.nn": nn, "torch.nn.functional": nn.functional,
    "torch.nn.modules.linear": nn.modules.linear, "torch": tinygrad_mnist,
}  # fmt: skip
"""Where layers and functions of PyTorch's are looked for; PyTorch keeps some of them deeper."""


def _in_torch(value: type | FunctionType | Primitive) -> str | None:
    """What PyTorch calls a layer or function of this engine; None for anything else."""
    name: str = value.name if isinstance(value, Primitive) else value.__name__
    for room, ours in _ROOMS.items():
        if name in dir(ours) and getattr(ours, name) is value:
            return f"{room}.{name}"
    return None


# Saving


def referred(value: Any) -> str | None:
    """The name by which a file can refer to a class or function; None for what cannot be found.

    Raises:
        PicklingError: Python does not find it by its name, either (or AttributeError).
    """
    if not isinstance(value, type | FunctionType | Primitive):
        return None
    if (known := _in_torch(value)) is not None or isinstance(value, Primitive):
        return known
    module, name = value.__module__, value.__name__
    if not (_is_own(module) or (module, name) in _PLAIN):
        return None
    pickle.dumps(value, 2)  # which raises where it is not found by its name
    if value.__qualname__ != name:
        raise PicklingError(f"{value!r} cannot be saved: it is defined inside of another class")
    return f"{module}.{name}"


def taken_apart(value: Any) -> tuple[Any, ...] | None:
    """An object's class, arguments of `__new__`, state, items, and the opcode that makes it.

    None for an object of a class that cannot be referred to, or that pickles in another way.
    """
    kind = type(value)
    if isinstance(value, nn.Module) and nn.utils.parametrize.is_parametrized(value):
        value.__getstate__()  # which refuses
    if kind.__module__ == "builtins" or referred(kind) is None:
        return None
    if not isinstance(value, nn.Module) and _in_torch(kind) is not None:
        return None
    parts = value.__reduce_ex__(2)
    if not isinstance(parts, tuple) or parts[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
        return None
    _, (kind, *arguments), state, in_list, in_dictionary = (*parts, None, None, None)[:5]
    if in_list is not None:
        return None
    return kind, tuple(arguments), state, in_dictionary or (), pickle.NEWOBJ


# Loading

_safe: list[Any] = []
"""Classes and functions of which the program says that any file may hold them."""


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let `torch.load` make objects of these classes, with `weights_only=True` too."""
    _safe.extend(each for each in safe_globals if each not in _safe)


def get_safe_globals() -> list[Any]:
    """What was said to be safe."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Nothing is said to be safe any more."""
    _safe.clear()


class safe_globals:
    """Inside of the block, `torch.load` makes objects of these classes, too.

    >>> with torch.serialization.safe_globals([torch.nn.Linear]):
    ...     torch.serialization.get_safe_globals()
    [<class 'tinygrad_mnist.nn.modules.linear.Linear'>]
    """

    def __init__(self, safe_globals: list[Any]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self._before = get_safe_globals()
        add_safe_globals(self.safe_globals)

    def __exit__(self, *error: object) -> None:
        _safe[:] = self._before


def is_safe(module: str, name: str) -> bool:
    """Whether the program says so of a class or function that a file names."""
    if module.partition(".")[0] == "torch":
        with contextlib.suppress(UnpicklingError):
            return any(each is find(module, name) for each in _safe)
        return False
    own = (each for each in _safe if isinstance(each, type | FunctionType))
    return any((each.__module__, each.__qualname__) == (module, name) for each in own)


def find(module: str, name: str) -> Any:
    """The class or function that a file names.

    Raises:
        MissingAttribute: the program has none of that name.
        UnpicklingError: it is none of the program's own, and no layer or function of PyTorch's.
    """
    if module.partition(".")[0] == "torch":
        rooms = [*_ROOMS.values()][:: 1 if module.startswith("torch.nn") else -1]
        found = next((getattr(room, name) for room in rooms if name in dir(room)), None)
    elif (module, name) in _PLAIN or _is_own(module):
        owner = importlib.import_module(module)
        found = vars(owner).get(name)
        if found is None:
            raise MissingAttribute(f"Can't get attribute {cut(name)!r} on {owner!r}")
    else:
        found = None
    if not isinstance(found, type | FunctionType | Primitive):
        raise UnpicklingError(
            f"it names {cut(module)}.{cut(name)}, which is neither a class of this program's own "
            "files nor a layer that this engine has"
        )
    return found


def _may_be_made(kind: Any) -> bool:
    """Whether a file may hold objects of a class."""
    return isinstance(kind, type) and (
        issubclass(kind, nn.Module)
        or (kind.__module__, kind.__name__) in _PLAIN
        or _is_own(kind.__module__)
    )


def new(kind: Any, arguments: Any) -> Any:
    """An object of a class, without attributes yet."""
    if not _may_be_made(kind):
        raise UnpicklingError(f"it makes an object of {cut(kind)}")
    return kind.__new__(kind, *arguments)


def build(thing: Any, state: Any) -> None:
    """Give an object that `new` made its attributes."""
    if not _may_be_made(type(thing)):
        raise UnpicklingError(f"it gives a state to a {type(thing).__name__}")
    if isinstance(thing, nn.Module):
        state = _module_state(state)
    if hasattr(thing, "__setstate__"):
        thing.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        vars(thing).update(attributes)
    for name, value in (slots or {}).items():
        setattr(thing, name, value)


def _module_state(state: Any) -> dict[str, Any]:
    """A module's attributes as this engine keeps them, of PyTorch's."""
    ours = vars(nn.Module())
    kept = {}
    for name, value in state.items():
        if name.endswith("_hooks") and value:
            raise UnpicklingError("it holds a module with hooks")
        if name in ours or "_hooks" not in name:
            kept[name] = value
    return ours | kept
