"""A module's state as a dictionary of tensors, and loading it back with checks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tinygrad_mnist._tensor import Tensor as TensorClass
from tinygrad_mnist.autograd import no_grad
from tinygrad_mnist.engine.hooks import RemovableHandle
from tinygrad_mnist.engine.wording import listed, quoted
from tinygrad_mnist.nn.parameter import Parameter, is_lazy

from .hooks import register
from .registration import Registration

_EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class _IncompatibleKeys(_Keys):
    """What `load_state_dict` returns: the keys that were missing, and those nobody wanted."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class State(Registration):
    """`state_dict` and `load_state_dict`, and what a module may override of them."""

    _version: int = 1
    _state_dict_pre_hooks: OrderedDict[int, Callable[..., None]]
    _state_dict_hooks: OrderedDict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable[..., None]]
    _load_state_dict_post_hooks: OrderedDict[int, Callable[..., None]]

    def get_extra_state(self) -> Any:
        """Something beside tensors that belongs to the state; overridden where there is any."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave; overridden where there is any."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called."
        )

    def _own_state(self) -> dict[str, Any]:
        """The parameters and persistent buffers of this module alone."""
        hidden = self._non_persistent_buffers_set
        buffers = {name: b for name, b in self._buffers.items() if name not in hidden}
        members = {**self._parameters, **buffers}
        return {name: member for name, member in members.items() if member is not None}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, member in self._own_state().items():
            destination[prefix + name] = member if keep_vars else member.detach()
        if type(self).get_extra_state is not State.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by their dotted names, sharing memory.

        They are detached unless `keep_vars`.

        >>> list(torch.nn.Linear(3, 2).state_dict())
        ['weight', 'bias']
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for before in self._state_dict_pre_hooks.values():
            before(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for after in self._state_dict_hooks.values():
            if after(self, destination, prefix, metadata) is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return destination  # type: ignore[no-any-return]

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the tensors of `state_dict` into the module and its descendants.

        With `strict` the names must be exactly those of `state_dict()`. With `assign` the tensors
        themselves take the place of the module's. Raises RuntimeError that lists every missing or
        unexpected name and every shape that does not fit, TypeError for what is no mapping.

        >>> torch.nn.Linear(3, 2).load_state_dict(torch.nn.Linear(3, 2).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        keys = _IncompatibleKeys([], [])
        errors: list[str] = []
        copied: Any = OrderedDict(state_dict)
        metadata = getattr(state_dict, "_metadata", None)
        if metadata is not None:
            copied._metadata = metadata
        _load(self, copied, "", metadata or {}, assign, keys, errors)
        if strict:
            wrong = ("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys)
            errors[:0] = [
                f"{what} key(s) in state_dict: {quoted(names)}. " for what, names in wrong if names
            ]
        if errors:
            told = listed(errors, "\n\t", most=300_000)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{told}"
            )
        return keys

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool,
        missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                error_msgs,
            )  # fmt: skip
        own = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, member in own.items():
            if prefix + name in state_dict:
                given = state_dict[prefix + name]
                error = self._load_member(name, member, given, prefix + name, assign)
                if error is not None:
                    error_msgs.append(error)
            else:
                missing_keys.append(prefix + name)
        takes_extra = type(self).set_extra_state is not State.set_extra_state
        extra_key = prefix + _EXTRA_STATE
        if takes_extra and extra_key in state_dict:
            self.set_extra_state(state_dict[extra_key])
        elif takes_extra:
            missing_keys.append(extra_key)
        elif extra_key in state_dict:
            unexpected_keys.append(extra_key)
        for key in state_dict:
            first, dot, _ = key.removeprefix(prefix).partition(".")
            if key != extra_key and first not in (self._modules if dot else own):
                unexpected_keys.append(key)

    def _load_member(
        self, name: str, member: Any, given: Any, key: str, assign: bool
    ) -> str | None:
        """Copy or assign one tensor; what is wrong with it, if something is."""
        if not isinstance(given, TensorClass):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or '
                f"Tensor-like object from checkpoint but received {type(given)}"
            )
        if is_lazy(member) and is_lazy(given):
            return None
        if member.dim() == 0 and list(given.shape) == [1]:
            given = given[0]
        if given.shape != member.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {given.shape} from "
                f"checkpoint, the shape in current model is {member.shape}."
            )
        if not assign:
            with no_grad():
                member.copy_(given)
        elif not isinstance(member, Parameter):
            setattr(self, name, given)
        elif isinstance(given, Parameter):
            setattr(self, name, given.requires_grad_(member.requires_grad))
        else:
            setattr(self, name, Parameter(given, member.requires_grad))
        return None

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the state is collected."""
        return register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when the state is collected."""
        return register(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook` before the module's own state is loaded.

        It gets the module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys and error_msgs, and may change them.
        """
        return register(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` when the module's state is loaded."""
        return register(self._load_state_dict_post_hooks, hook)


def _load(
    module: Any, state_dict: OrderedDict[str, Any], prefix: str, metadata: Mapping[str, Any],
    assign: bool, keys: _IncompatibleKeys, errors: list[str],
) -> None:  # fmt: skip
    """Load the part of `state_dict` under `prefix` into `module` and its descendants."""
    local_metadata = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local_metadata["assign_to_params_buffers"] = True
    module._load_from_state_dict(
        state_dict, prefix, local_metadata, True, keys.missing_keys, keys.unexpected_keys, errors
    )
    for name, child in module._modules.items():
        if child is not None:
            inner = f"{prefix}{name}."
            part = OrderedDict((k, v) for k, v in state_dict.items() if k.startswith(inner))
            _load(child, part, inner, metadata, assign, keys, errors)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, keys) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                "return new values, if incompatible_keys need to be modified, it should be done "
                "inplace."
            )
