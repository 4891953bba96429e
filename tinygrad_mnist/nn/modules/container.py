"""Modules that hold modules or parameters, in order or by name."""

from __future__ import annotations

import itertools
import operator
import textwrap
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any, Self, overload

from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.parameter import Parameter

from .module import Module


class _List(Module):
    """What holds its members in order, under the names "0", "1", …"""

    _no_members: type | tuple[()] = ()
    """What can be iterated over, but is not taken for members."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def _position(self, index: Any) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"index {number} is out of range")
        return number

    def _name_at(self, index: Any) -> str:
        return list(self._modules)[self._position(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def append(self, module: Module) -> Self:
        """Put `module` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Put all of `modules` at the end; TypeError for what is not iterable."""
        if not isinstance(modules, Iterable) or isinstance(modules, self._no_members):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, "
                f"but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self


class _ModuleRow(_List):
    """Modules in a row: what Sequential and ModuleList have in common."""

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        for name in names[index] if isinstance(index, slice) else [self._name_at(index)]:
            delattr(self, name)
        modules = list(self._modules.values())
        self._modules.clear()
        self._modules.update((str(number), module) for number, module in enumerate(modules))

    def pop(self, key: int | slice) -> Module:
        """Take the module at `key` out, and return it."""
        taken: Module = self[key]  # type: ignore[index]
        del self[key]
        return taken

    def _put_in(self, index: int, module: Module) -> None:
        for number in range(len(self), index, -1):
            self._modules[str(number)] = self._modules[str(number - 1)]
        self._modules[str(index)] = module


class Sequential(_ModuleRow):
    """Modules one after another, the output of each the input of the next.

    They are numbered, or named by an OrderedDict's keys; indices and slices work.

    >>> from tinygrad_mnist import nn
    >>> nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
      (1): ReLU()
    )
    """

    if TYPE_CHECKING:

        def __call__(self, *input: Any, **kwargs: Any) -> Tensor:
            """What `forward` gives."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        pairs = args[0].items() if named else ((str(i), each) for i, each in enumerate(args))
        for name, module in pairs:
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """The input, taken through every module."""
        for module in self._modules.values():
            input = module(input)
        return input

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        module: Module = self._modules[self._name_at(index)]
        return module

    def insert(self, index: int, module: Module) -> Self:
        """Put `module` before the one at `index`."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        count = len(self)
        if not -count <= index <= count:
            raise IndexError(f"Index out of range: {index}")
        self._put_in(index + count if index < 0 else index, module)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self).__iadd__(other)

    def __iadd__(self, other: Sequential) -> Self:
        if not isinstance(other, Sequential):
            raise ValueError(
                "add operator supports only objects of Sequential class, but "
                f"{type(other)} is given."
            )
        return self.extend(other)

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*self).__imul__(other)

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        if not isinstance(other, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ValueError(f"Non-positive multiplication factor {other} for {type(self)}")
        return self.extend(list(self) * (other - 1))


class ModuleList(_ModuleRow):
    """A list of modules whose parameters are counted; how to call them is the owner's business.

    >>> from tinygrad_mnist import nn
    >>> nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Module | Self:
        if isinstance(index, slice):
            return type(self)(list(self._modules.values())[index])
        module: Module = self._modules[self._name_at(index)]
        return module

    def insert(self, index: int, module: Module) -> None:
        """Put `module` before the one at `index`."""
        self._put_in(index, module)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """The modules, equal neighbours on one line."""
        lines = []
        start = 0
        for text, alike in itertools.groupby(map(repr, self)):
            count = len(list(alike))
            last = start + count - 1
            numbers = f"({start}): " if count == 1 else f"({start}-{last}): {count} x "
            lines.append(numbers + text)
            start += count
        body = textwrap.indent("\n".join(lines), "  ")
        return f"{self._get_name()}(\n{body}\n)" if lines else f"{self._get_name()}()"


class ParameterList(_List):
    """A list of parameters that count as the module's own; tensors become parameters.

    >>> torch.nn.ParameterList([torch.ones(2)])
    ParameterList(  (0): Parameter containing: [torch.float32 of size 2])
    """

    _no_members = TensorClass

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _name_at(self, index: Any) -> str:
        return str(self._position(index) % len(self))

    def extend(self, values: Iterable[Any]) -> Self:
        """Put all of `values` at the end; TypeError for what is not iterable."""
        return super().extend(values)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(len(self)))])
        return getattr(self, self._name_at(index))

    def __setitem__(self, index: int, param: Any) -> None:
        setattr(self, self._name_at(index), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __iadd__(self, parameters: Iterable[Any]) -> Self:
        return self.extend(parameters)

    def append(self, value: Any) -> Self:
        """Put `value` at the end."""
        self._size += 1
        self[len(self) - 1] = value
        return self

    def extra_repr(self) -> str:
        """A line for each parameter."""
        kinds = [str(getattr(value, "dtype", "")) for value in self]
        return _lines(enumerate(self), kinds)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A list of parameters computes nothing: RuntimeError."""
        raise RuntimeError("ParameterList should not be called.")


class _Dict(Module):
    """What holds its members by name."""

    @property
    def _names(self) -> dict[str, Any]:
        raise NotImplementedError

    def __delitem__(self, key: str) -> None:
        del self._names[key]

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def clear(self) -> None:
        """Take all out."""
        for key in list(self._names):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take the value at `key` out, and return it."""
        value = self[key]  # type: ignore[index]
        del self[key]
        return value

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._names.keys()

    def _put_pairs(self, title: str, given: Any, as_they_are: Any) -> None:
        """Put in the pairs of name and value of a mapping, if it is a plain one sorted."""
        if not isinstance(given, Iterable):
            raise TypeError(
                f"{title}.update should be called with an iterable of key/value pairs, but got "
                f"{type(given).__name__}"
            )
        if isinstance(given, as_they_are):
            given = given.items()
        elif isinstance(given, Mapping):
            given = sorted(given.items())
        for number, pair in enumerate(given):
            element = f"{self._get_name()} update sequence element #{number}"
            if not isinstance(pair, Iterable):
                raise TypeError(f"{element} should be Iterable; is{type(pair).__name__}")
            key, *values = pair
            if len(values) != 1:
                raise ValueError(f"{element} has length {1 + len(values)}; 2 is required")
            self[key] = values[0]


class ModuleDict(_Dict):
    """A dictionary of modules whose parameters are counted.

    >>> from tinygrad_mnist import nn
    >>> list(nn.ModuleDict({"first": nn.Linear(2, 2), "second": nn.ReLU()}))
    ['first', 'second']
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    @property
    def _names(self) -> dict[str, Any]:
        return self._modules

    def __getitem__(self, key: str) -> Module:
        module: Module = self._modules[key]
        return module

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def items(self) -> ItemsView[str, Any]:
        """The names and modules."""
        return self._modules.items()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Put in the modules of a mapping, or of pairs of name and module."""
        self._put_pairs("ModuleDict", modules, Mapping | ModuleDict)


class ParameterDict(_Dict):
    """A dictionary of parameters that count as the module's own; tensors become parameters.

    >>> list(torch.nn.ParameterDict({"scale": torch.ones(2)}))
    ['scale']
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    @property
    def _names(self) -> dict[str, Any]:
        return self._keys

    def _check_key(self, key: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}'). Open an issue on github if you need "
                "non-string keys."
            )

    def __getitem__(self, key: str) -> Any:
        self._check_key(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._check_key(key)
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        delattr(self, key)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value at `key`, put there first where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """Take the last key and value out, and return them."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value at `key`, or `default`."""
        return getattr(self, key) if key in self._keys else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A dictionary of these keys, each with `default`."""
        return ParameterDict((key, default) for key in keys)

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and values."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterable[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Put in what a mapping (a plain one in sorted order) or pairs hold."""
        self._put_pairs("ParametersDict", parameters, OrderedDict | ParameterDict)

    def extra_repr(self) -> str:
        """A line for each parameter."""
        kinds = [str(v.type()) if isinstance(v, TensorClass) else "" for v in self.values()]
        return _lines(self.items(), kinds)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A dictionary of parameters computes nothing: RuntimeError."""
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other: Any) -> ParameterDict:
        copy = self.copy()
        copy.update(other)
        return copy

    def __ror__(self, other: Any) -> Any:
        copy = other.copy()
        copy.update(self)
        return copy

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self


def _as_parameter(value: Any) -> Any:
    """A tensor made a Parameter; anything else as it is."""
    if isinstance(value, TensorClass) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _lines(members: Iterable[tuple[Any, Any]], kinds: list[str]) -> str:
    """A line for each member: what it is, its type in `kinds`, and its size."""
    lines = []
    for (key, value), kind in zip(members, kinds, strict=True):
        if isinstance(value, TensorClass):
            size = "x".join(map(str, value.shape))
            what = "Parameter" if isinstance(value, Parameter) else "Tensor"
            lines.append(f"  ({key}): {what} containing: [{kind} of size {size}]")
        else:
            lines.append(f"  ({key}): Object of type: {type(value).__name__}")
    return "\n".join(lines)
