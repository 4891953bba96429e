"""How a module learns of its parameters, buffers and children: by assignment or by name."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.parameter import Buffer, Parameter

CALL_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
STATE_HOOKS = (
    "_state_dict_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip


def typename(value: Any) -> str:
    """What PyTorch calls the type of `value` in its messages: "torch.FloatTensor", "int", …"""
    if isinstance(value, TensorClass):
        return str(value.type())
    kind = value if isinstance(value, type) else type(value)
    prefix = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{prefix}{kind.__qualname__}"


class Registration:
    """Three dictionaries, of parameters, buffers and children, behind a module's attributes.

    An attribute that is a Parameter, Buffer or Module lives in the dictionary of its kind and
    nowhere else; `__getattr__`, called when there is no ordinary attribute, finds it there.
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Any]

    def __init__(self) -> None:
        members = self.__dict__
        members["training"] = True
        members["_parameters"] = {}
        members["_buffers"] = {}
        members["_non_persistent_buffers_set"] = set()
        members["_modules"] = {}
        for kind in (*CALL_HOOKS, *STATE_HOOKS):
            members[kind] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__
        if "_parameters" in members:
            if name in members["_parameters"]:
                return members["_parameters"][name]
            if name in members["_buffers"]:
                return members["_buffers"][name]
            if name in members["_modules"]:
                return members["_modules"][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, "parameters", "_parameters")
            self.register_parameter(name, value)
        elif name in members.get("_parameters", ()):
            self._expect_none(name, value, "parameter", "torch.nn.Parameter or None")
            self.register_parameter(name, None)
        elif isinstance(value, Registration):
            self._forget(name, "module", "_modules")
            self._modules[name] = value
        elif name in members.get("_modules", ()):
            self._expect_none(name, value, "child module", "torch.nn.Module or None")
            self._modules[name] = None
        elif isinstance(value, Buffer) or name in members.get("_buffers", ()):
            if value is not None and not isinstance(value, TensorClass):
                self._expect_none(name, value, "buffer", "torch.nn.Buffer, torch.Tensor or None")
            kept = name not in members.get("_non_persistent_buffers_set", ())
            persistent = value.persistent if isinstance(value, Buffer) else kept
            self.register_buffer(name, value, *([] if persistent else [False]))
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, what: str, kind: str) -> None:
        """Make room for a member of `kind` where another kind of attribute stands."""
        members = self.__dict__
        if kind not in members:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        self._non_persistent_buffers_set.discard(name)
        for others in (members, self._parameters, self._buffers, self._modules):
            if others is not members[kind]:
                others.pop(name, None)

    def _expect_none(self, name: str, value: Any, what: str, expected: str) -> None:
        if value is not None:
            raise TypeError(
                f"cannot assign '{typename(value)}' as {what} '{name}' ({expected} expected)"
            )

    def __delattr__(self, name: str) -> None:
        for members in (self._parameters, self._buffers, self._modules):
            if name in members:
                del members[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    def _check_name(self, name: str, what: str, kind: str) -> None:
        if kind not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {typename(name)}")
        if "." in name:
            got = f", got: {name}" if what == "module" else ""
            raise KeyError(f'{what} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[kind]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a tensor that is not trained, as an attribute called `name`.

        It is part of `state_dict()` if `persistent`. Raises KeyError for a name that is taken,
        empty or has a dot in it, TypeError for what is neither a Tensor nor None.
        """
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, TensorClass):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Keep a Parameter (or None, for one that is not there) as an attribute called `name`.

        Raises KeyError for a name that is taken, empty or has a dot in it, TypeError for what is
        neither a Parameter nor None, ValueError for the result of an operation.
        """
        self._check_name(name, "parameter", "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, "
                "compute the value in the forward() method."
            )
        self._parameters[name] = param

    def add_module(self, name: str, module: Any) -> None:
        """Keep a child module (or None) as an attribute called `name`.

        Raises KeyError for a name that is taken, empty or has a dot in it, TypeError for what is
        neither a Module nor None.
        """
        if module is not None and not isinstance(module, Registration):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = module

    register_module = add_module
