"""Parametrizations: parameters of modules that are functions of other tensors.

`register_parametrization(layer, "weight", f)` makes `layer.weight` what f gives of the tensor kept
as `layer.parametrizations.weight.original`, which is what is trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.nn.modules.container import ModuleDict, ModuleList
from tinygrad_mnist.nn.modules.module import Module
from tinygrad_mnist.nn.parameter import Parameter

_cache: dict[tuple[int, str], Tensor] = {}
_depth = [0]


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once in a `with` block, however often it is used."""
    _depth[0] += 1
    try:
        yield
    finally:
        _depth[0] -= 1
        if not _depth[0]:
            _cache.clear()


def _register(module: Module, name: str, tensor: Any) -> None:
    keep = module.register_parameter if isinstance(tensor, Parameter) else module.register_buffer
    keep(name, tensor)


def _check_same(new: Any, old: Any, action: str, before: str, after: str) -> None:
    """ValueError unless `new` is a tensor of the type and shape of `old`."""
    if not isinstance(new, TensorClass):
        raise ValueError(f"A parametrization must return a tensor. Got {type(new).__name__}.")
    for what in ("dtype", "shape"):
        have, want = getattr(new, what), getattr(old, what)
        if have != want:
            raise ValueError(
                f"{action} may not change the {what} of the tensor, unless `unsafe` flag is "
                f"enabled.\n{before} {what}: {want}\n{after} {what}: {have}"
            )


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in turn to `original` (or `original0`, …).

    Raises ValueError where a parametrization changes the type or shape, unless `unsafe`.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        like = original.detach()
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        new = module.right_inverse(new)
        self.is_tensor = isinstance(new, TensorClass)
        if not self.is_tensor and not isinstance(new, Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            self._keep_one(original, new)
        else:
            self._keep_several(original, new)
        if not self.unsafe:
            _check_same(
                self(), like, "Registering a parametrization", "unparametrized", "parametrized"
            )

    def _keep_one(self, original: Tensor, new: Tensor) -> None:
        if original.dtype != new.dtype:
            raise ValueError(
                "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
            )
        original.data = new.detach()
        _register(self, "original", original)

    def _keep_several(self, original: Tensor, new: Sequence[Any]) -> None:
        for i, each in enumerate(new):
            if not isinstance(each, TensorClass):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                    f"tuple...). Got element {i} of the sequence with type {type(each).__name__}."
                )
            if isinstance(original, Parameter):
                each = Parameter(each, original.requires_grad)
            _register(self, f"original{i}", each.requires_grad_(original.requires_grad))

    def _originals(self) -> list[Any]:
        names = ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]
        return [getattr(self, name) for name in names]

    @no_grad()
    def right_inverse(self, value: Any) -> None:
        """Set the originals so that the parametrized tensor becomes `value`."""
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(
                    f"parametrization {type(module).__name__} does not implement right_inverse."
                )
            value = module.right_inverse(value)
        one, wanted = self.is_tensor, "'right_inverse' must return a sequence of tensors"
        if not one and not isinstance(value, Sequence):
            raise ValueError(f"{wanted}. Got {type(value).__name__}.")
        given = [value] if one else value
        if len(given) != self.ntensors:
            raise ValueError(
                f"{wanted} of length {self.ntensors}. Got a sequence of length {len(given)}."
            )
        for i, (original, new) in enumerate(zip(self._originals(), given, strict=True)):
            if not isinstance(new, TensorClass):
                kind = type(new).__name__
                raise ValueError(
                    f"`right_inverse` should return a tensor. Got {kind}"
                    if one
                    else f"{wanted}. Got element {i} of type {kind}."
                )
            if original.dtype != new.dtype:
                raise ValueError(
                    f"{'The tensor' if one else f'Tensor {i}'} returned by `right_inverse` has "
                    f"dtype {new.dtype} while `original{'' if one else i}` has dtype "
                    f"{original.dtype}"
                )
            original.data = new.detach()

    def forward(self) -> Any:
        """The parametrized tensor."""
        first, *others = self
        out = first(*self._originals())
        for module in others:
            out = module(out)
        return out


def _deepcopy(module: Any, memo: dict[int, Any]) -> Any:
    if id(module) not in memo:
        memo[id(module)] = made = object.__new__(type(module))
        made.__dict__.update(copy.deepcopy(module.__dict__, memo))
    return memo[id(module)]


def _refuse_pickling(module: Any) -> None:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). Save "
        "module.state_dict(), and load it into a module made and parametrized in the same way"
    )


def _inject(module: Any, name: str) -> None:
    """Give the module a class of its own if need be, with a property in place of the tensor."""
    if not is_parametrized(module):
        cls = type(module)
        members: dict[str, Any] = {"__getstate__": _refuse_pickling, "__module__": cls.__module__}
        if not hasattr(cls, "__deepcopy__"):
            members["__deepcopy__"] = _deepcopy
        module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)
        module.parametrizations = ModuleDict()

    def get(self: Any) -> Any:
        if not _depth[0]:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def put(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make a parameter or buffer of `module` what `parametrization` gives of it.

    With `right_inverse` in the parametrization the tensor may be assigned to. Raises ValueError
    for a name that is none, and for a changed type or shape unless `unsafe`.

    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = torch.nn.Linear(3, 3)
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> torch.equal(layer.weight, layer.weight.T)
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_fits(parametrization, getattr(module, tensor_name), tensor_name)
        there: Any = module.parametrizations[tensor_name]
        there.append(parametrization)
        there.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        _inject(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def _check_fits(parametrization: Any, tensor: Tensor, name: str) -> None:
    """ValueError unless a further parametrization keeps type and shape, there and back."""
    new = parametrization(tensor)
    told = f"module.{name}"
    _check_same(new, tensor, "Registering a parametrization", told, f"parametrization({told})")
    if hasattr(parametrization, "right_inverse"):
        try:
            back = parametrization.right_inverse(new)
        except NotImplementedError:
            return
        if not isinstance(back, TensorClass):
            raise ValueError(
                f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}"
            )
        for what in ("dtype", "shape"):
            if getattr(back, what) != getattr(tensor, what):
                raise ValueError(
                    "The tensor returned by parametrization.right_inverse must have the same "
                    f"{what} as {told}, unless the `unsafe` flag is enabled.\n{told}.{what}: "
                    f"{getattr(tensor, what)}\nreturned {what}: {getattr(back, what)}"
                )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has a parametrization, or one of that tensor."""
    made = getattr(module, "parametrizations", None)
    if not isinstance(made, ModuleDict):
        return False
    return len(made) > 0 if tensor_name is None else tensor_name in made


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a tensor an ordinary one again: as it is now, or else as its original is.

    Raises ValueError where there is no parametrization, or no single original to go back to.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    made: Any = module.parametrizations[tensor_name]
    if made.is_tensor:
        original = made.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        now = getattr(module, tensor_name)
        original = Parameter(now.detach()) if now.requires_grad else now
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type_before_parametrizations(module, always=True)
    return module


def type_before_parametrizations(module: Module, always: bool = False) -> Any:
    """The class that a module had before it was parametrized."""
    return type(module).__bases__[0] if always or is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Parametrize `to_module` as `from_module` is, with the originals of that."""
    if not is_parametrized(from_module):
        return to_module
    made: Any = from_module.parametrizations
    for name in list(made) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for each in made[name]:
            register_parametrization(to_module, name, each)
        there: Any = to_module.parametrizations[name]
        for key, original in made[name]._parameters.items():
            setattr(there, key, original)
    return to_module
