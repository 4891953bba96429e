"""Module: what every layer and every network is."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device, device
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.types import Device, DType, MemoryFormat
from tinygrad_mnist.nn.parameter import Parameter

from .hooks import Calling
from .registration import Registration
from .state import State

_TO_DEVICE: tuple[Any, ...] = (device | str | int | None, dtypes.dtype | None, bool, bool)


def _parameters_of(module: Module) -> Iterable[tuple[str, Any]]:
    return module._parameters.items()


class Module(Calling, State):
    """A function with parameters; the base class of all layers and networks.

    A subclass calls `super().__init__()` first, assigns its parameters and layers to attributes,
    and computes in `forward`. Calling the module calls `forward`.

    >>> from tinygrad_mnist import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(torch.tensor(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(torch.tensor([1.0, 3.0]))
    tensor([2., 6.], grad_fn=<MulBackward0>)
    """

    call_super_init: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            what = f"an unexpected keyword argument '{next(iter(kwargs))}'" if kwargs else ""
            what = what or f"1 positional argument but {len(args) + 1} were given"
            verb = "got" if kwargs else "takes"
            raise TypeError(f"{type(self).__name__}.__init__() {verb} {what}")
        super().__init__()
        if self.call_super_init:
            super(Registration, self).__init__(*args, **kwargs)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every descendant and then on the module itself; the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch the module and its descendants to training, or to evaluation; the module.

        Raises ValueError when `mode` is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch the module and its descendants to evaluation: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for gradients of all parameters, or freeze them; the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None, or to zero."""
        for parameter in self.parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                gradient.detach_().requires_grad_(False).zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Put `fn(tensor)` in the place of every parameter's data, its gradient, every buffer."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            gradient = parameter.grad
            with GradMode(False):
                parameter.data = fn(parameter)
                if gradient is not None:
                    gradient.data = fn(gradient)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def share_memory(self) -> Self:
        """Move all parameters and buffers into memory that processes share; the module itself."""
        return self._apply(lambda t: t.share_memory_())

    def to(
        self, *args: Any, dtype: DType = None, device: Device = None, non_blocking: bool = False,
        memory_format: MemoryFormat = None,
    ) -> Self:  # fmt: skip
        """Convert all floating-point parameters and buffers; give back the module.

        Raises TypeError for a type that is not floating point, NotImplementedError for another
        device than the CPU.
        """
        by_type = bool(args) and isinstance(args[0], dtypes.dtype | Tensor)
        form = (dtypes.dtype | Tensor, bool) if by_type else _TO_DEVICE
        if not all(map(isinstance, args, form)):
            raise TypeError("to() received an invalid combination of arguments")
        for argument in args:
            if isinstance(argument, dtypes.dtype):
                dtype = argument
            elif isinstance(argument, Tensor):
                dtype = dtypes.from_numpy_dtype(argument._array.dtype)
            elif not isinstance(argument, bool):
                device = argument
        check_device(device)
        if dtype is None:
            return self
        if not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Convert all floating-point parameters and buffers to float32; the module."""
        return self.to(dtypes.float32)

    def double(self) -> Self:
        """Convert all floating-point parameters and buffers to float64; the module."""
        return self.to(dtypes.float64)

    def half(self) -> Self:
        """Convert all floating-point parameters and buffers to float16; the module."""
        return self.to(dtypes.float16)

    def bfloat16(self) -> Self:
        """Convert all floating-point parameters and buffers to bfloat16; the module."""
        return self.to(dtypes.bfloat16)

    def type(self, dst_type: dtypes.dtype | str) -> Self:
        """Convert all parameters and buffers to `dst_type`; the module."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self) -> Self:
        """The module itself: it lives on the CPU."""
        return self

    def cuda(self, device: Device = None) -> Self:
        """Refused: there is no GPU here. (Under `run --device cpu`, the module itself.)"""
        return self.to("cuda")

    # Members of the module and its descendants by dotted name, tied ones counted once

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """The module itself and all its descendants, with their dotted names.

        >>> net = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU())
        >>> [name for name, module in net.named_modules()]
        ['', '0', '1']
        """
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(seen, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """The module itself and all its descendants."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The immediate children, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The immediate children."""
        for _, module in self.named_children():
            yield module

    def _named_members(
        self,
        get_members_fn: Callable[[Module], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules: Iterable[tuple[str, Module]] = [(prefix, self)]
        if recurse and (self._modules or type(self).named_modules is not Module.named_modules):
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names; those of the module alone unless `recurse`.

        >>> [(name, list(p.shape)) for name, p in torch.nn.Linear(3, 2).named_parameters()]
        [('weight', [2, 3]), ('bias', [2])]
        """
        return self._named_members(_parameters_of, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, for an optimiser; those of the module alone unless `recurse`."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their dotted names; those of the module alone unless `recurse`."""
        return self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers; those of the module alone unless `recurse`."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The descendant with the dotted name `target`, the module itself for "".

        Raises AttributeError where the path ends or what it names is not a module.
        """
        module: Module = self
        for name in target.split(".") if target else []:
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` where the dotted name `target` says; if `strict`, one must be there.

        Raises ValueError for an empty name or what is not a module, AttributeError where the path
        ends too early.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_member(self, target: str) -> tuple[Module, Any, str]:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        return module, getattr(module, name), name

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with the dotted name `target`; AttributeError where there is none."""
        _, member, name = self._get_member(target)
        if not isinstance(member, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return member

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with the dotted name `target`; AttributeError where there is none."""
        module, member, name = self._get_member(target)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        buffer: Tensor = member
        return buffer

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the module prints of itself beside its children: its settings, mostly."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        for name, module in self._modules.items():
            lines.append(f"({name}): {module!r}")
        body = textwrap.indent("\n".join(lines), "  ")
        return f"{self._get_name()}(\n{body}\n)" if lines else f"{self._get_name()}()"
