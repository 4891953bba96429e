"""Functions that an optimiser calls before and after a step, and around its state."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tinygrad_mnist.engine.hooks import RemovableHandle

Hook = Callable[..., Any]

_global_optimizer_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
_global_optimizer_post_hooks: OrderedDict[int, Hook] = OrderedDict()


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before each step of every optimiser.

    `args` begins with the optimiser itself. What the hook returns, unless None, are the new
    arguments: (args, kwargs).
    """
    return RemovableHandle.of(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after each step of every optimiser."""
    return RemovableHandle.of(_global_optimizer_post_hooks, hook)


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step`, with the hooks called before and after it."""

    @functools.wraps(step)
    def call(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        for hook in (*_global_optimizer_pre_hooks.values(), *self._step_pre_hooks.values()):
            result = hook(self, args, kwargs)
            if isinstance(result, tuple) and len(result) == 2:
                args, kwargs = result
            elif result is not None:
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got "
                    f"{result}."
                )
        out = step(*args, **kwargs)
        for hook in (*self._step_post_hooks.values(), *_global_optimizer_post_hooks.values()):
            hook(self, args, kwargs)
        return out

    call.hooked = True  # type: ignore[attr-defined]
    return call


class OptimizerHooks:
    """The hooks of one optimiser; registering one returns a handle that takes it away."""

    _HOOKS = (
        "_step_pre_hooks", "_step_post_hooks", "_state_dict_pre_hooks", "_state_dict_post_hooks",
        "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
    )  # fmt: skip

    _step_pre_hooks: OrderedDict[int, Hook]
    _step_post_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _state_dict_post_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    def _start_hooks(self) -> None:
        """No hooks yet; the class's step calls those to come."""
        for name in self._HOOKS:
            setattr(self, name, OrderedDict())
        step = type(self).step  # type: ignore[attr-defined]
        if not hasattr(step, "hooked"):
            type(self).step = hooked(step)  # type: ignore[attr-defined]

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new arguments."""
        return RemovableHandle.of(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle.of(self._step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`; first of all where `prepend`."""
        return _registered(self._state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another one."""
        return _registered(self._state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return another one."""
        return _registered(self._load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return _registered(self._load_state_dict_post_hooks, hook, prepend)


def _registered(hooks: OrderedDict[int, Hook], hook: Hook, first: bool) -> RemovableHandle:
    handle = RemovableHandle.of(hooks, hook)
    if first:
        hooks.move_to_end(handle.id, last=False)
    return handle


def passed_on(
    hooks: OrderedDict[int, Hook], optimizer: Any, state_dict: dict[str, Any]
) -> dict[str, Any]:
    """The state that hooks made of `state_dict`: each may return another one."""
    for hook in hooks.values():
        result = hook(optimizer, state_dict)
        state_dict = state_dict if result is None else result
    return state_dict
