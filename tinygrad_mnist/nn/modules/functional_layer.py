"""Layer: a module that computes one tensor, often with a function of `nn.functional` alone.

The methods of a layer made of a function are written as `dataclasses` writes them, with the
parameters, defaults and annotations of the function, when they are first looked up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_mnist._tensor.creation import empty
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType
from tinygrad_mnist.nn import functional
from tinygrad_mnist.nn.parameter import Parameter

from .module import Module

_OLDER = {"size_average", "reduce"}
"""Settings that are read into `reduction`, and not kept."""


class Layer(Module):
    """A module whose result is a tensor: `class ELU(Layer, of=F.elu, shows="alpha={alpha}")`.

    of: the function that `forward` calls, with the layer's settings.
    inputs: how many of the function's parameters are inputs, or what `forward` calls them.
    settings: the parameters of `__init__` in their order; by default all that follow the inputs.
    values: other defaults of settings, and constants for other parameters of the function.
    shows: the text of `extra_repr`, attributes in braces; `{bias}` is whether there is one.
    init_in: PyTorch's class whose `__init__` this is, which error messages name.

    A subclass inherits all but `of`, and keeps the methods it writes itself; another keyword sets
    the class's attribute of that name with a `_` before it. A parameter of the function called
    `training` is the module's own. `_set_up` receives the settings, and may check or change them.
    """

    _of: Callable[..., Tensor]
    _inputs: int | list[str] = 1
    _settings: str | None = None
    _values: Mapping[str, Any] = {}
    _shows = ""
    _init_in = ""

    if TYPE_CHECKING:

        def __call__(self, *input: Tensor, **kwargs: Any) -> Tensor:
            """What `forward` gives."""

        def forward(self, *input: Any, **kwargs: Any) -> Tensor:
            """The function of the input and the settings."""

    def __init_subclass__(cls, of: Callable[..., Any] | None = None, **given: Any) -> None:
        for name in [name for name in given if hasattr(cls, f"_{name}")]:
            setattr(cls, f"_{name}", given.pop(name))
        super().__init_subclass__(**given)
        if of is not None:
            cls._of = staticmethod(of)
            for name, write in (("__init__", _write_init), ("forward", _write_forward)):
                if getattr(cls, name) is getattr(Module, name):
                    setattr(cls, name, _Later(cls, name, write))

    def _set_up(self, **settings: Any) -> None:
        """Keep the settings as attributes."""
        for name, value in settings.items():
            setattr(self, name, value)

    def _new_parameters(self, device: Device, dtype: DType, **shapes: Sequence[int] | None) -> None:
        """Register a parameter of each shape, its numbers not set, or None for no shape."""
        for name, shape in shapes.items():
            made = None
            if shape is not None:
                size = shape if len(shape) > 1 else shape[0]  # which PyTorch's errors tell apart
                made = Parameter(empty(size, device=device, dtype=dtype))
            self.register_parameter(name, made)

    def extra_repr(self) -> str:
        """The settings that are shown."""
        has_bias = self._parameters.get("bias") is not None
        return self._shows.format_map(_Shown(self, vars(self), bias=has_bias))


class _Shown(dict[str, Any]):
    """The attributes of a module; one that it lacks is asked of it, and so refused in its words."""

    def __init__(self, module: Module, attributes: Mapping[str, Any], **more: Any) -> None:
        super().__init__(attributes, **more)
        self.module = module

    def __missing__(self, name: str) -> Any:
        return getattr(self.module, name)


class _Later:
    """A method of `owner` that is written when it is first looked up."""

    def __init__(self, owner: type[Layer], name: str, write: Callable[..., Any]) -> None:
        self.owner, self.name, self.write = owner, name, write

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        method = self.write(self.owner)
        setattr(self.owner, self.name, method)
        return method if instance is None else method.__get__(instance, owner)


def _split(cls: type[Layer]) -> tuple[list[Any], list[Any], Any]:
    """The inputs and settings of the layer's function, as `inspect.Parameter`; its signature."""
    from inspect import Parameter, signature

    called = signature(cls._of)
    parameters = list(called.parameters.values())
    names = cls._inputs
    if isinstance(names, int):
        names = [parameter.name for parameter in parameters[:names]]
    inputs = [each.replace(name=name) for each, name in zip(parameters, names, strict=False)]
    others = {each.name: each for each in parameters[len(inputs) :]}
    wanted = others if cls._settings is None else cls._settings.split(", ")
    settings, named = [], False
    for name in wanted:
        if name == "*":
            named = True
        elif name != "training":
            kind = Parameter.KEYWORD_ONLY if named else others[name].kind
            default = cls._values.get(name, others[name].default)
            settings.append(others[name].replace(kind=kind, default=default))
    return inputs, settings, called


def _write_init(cls: type[Layer]) -> Any:
    """`__init__`, which takes the settings; Module's own where there are none."""
    _, settings, called = _split(cls)
    if not settings:
        return Module.__init__
    given = ", ".join(f"{setting.name}={setting.name}" for setting in settings)
    lines = ["super(owner, self).__init__()", f"self._set_up({given})"]
    return _written(cls, "__init__", lines, called.replace(return_annotation="None"), settings)


def _write_forward(cls: type[Layer]) -> Any:
    """`forward`, which calls the function with the inputs and the settings."""
    inputs, settings, called = _split(cls)
    kept = {"training", *(setting.name for setting in settings)} - _OLDER
    arguments, gap = [each.name for each in inputs], False
    for name, parameter in list(called.parameters.items())[len(inputs) :]:
        if name in kept or name in cls._values:
            value = f"self.{name}" if name in kept else repr(cls._values[name])
            named = gap or parameter.kind is parameter.KEYWORD_ONLY
            arguments.append(f"{name}={value}" if named else value)
        else:
            gap = True
    name = cls._of.__name__
    public = cls._of.__module__.startswith(functional.__name__)
    called_as = f"functional.{name}" if public else "owner._of"
    forward = _written(
        cls, "forward", [f"return {called_as}({', '.join(arguments)})"], called, inputs
    )
    told = f"torch.nn.functional.{name}" if public else name
    forward.__doc__ = f"`{told}` of the input, with the layer's settings."
    return forward


class _Named:
    """Stands in a signature for a default, and is written as the place where it is kept."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"defaults[{self.name!r}]"


def _written(cls: type[Layer], name: str, lines: list[str], called: Any, taken: list[Any]) -> Any:
    """The method of these lines and parameters, as if it stood in the class."""
    from inspect import Parameter, unwrap

    empty = Parameter.empty
    defaults = {each.name: each.default for each in taken if each.default is not empty}
    head = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
    for each in taken:
        default = _Named(each.name) if each.name in defaults else empty
        head.append(each.replace(annotation=empty, default=default))
    signature = called.replace(parameters=head, return_annotation=empty)
    body = "\n".join(f"        {line}" for line in lines)
    parameters = "owner, functional, defaults"
    source = f"def write({parameters}):\n    def {name}{signature}:\n{body}\n    return {name}"
    # In a file of the package, for those who tell its frames from the user's.
    file = os.path.join(os.path.dirname(__file__), f"<{cls.__qualname__}.{name}>")
    found: dict[str, Any] = {}
    exec(compile(source, file, "exec", dont_inherit=True), unwrap(cls._of).__globals__, found)
    method = found["write"](cls, functional, defaults)
    owner = cls._init_in if name == "__init__" and cls._init_in else cls.__qualname__
    method.__module__, method.__qualname__ = cls.__module__, f"{owner}.{name}"
    typed = {each.name: each.annotation for each in taken if each.annotation is not empty}
    method.__annotations__ = {**typed, "return": called.return_annotation}
    return method
