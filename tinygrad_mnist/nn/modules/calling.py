"""Calling a module: forward, and the hooks before and after it."""

from __future__ import annotations

import importlib
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_mnist.engine.record import RemovableHandle

from .backward_hooks import WatchedCall
from .registration import Registration

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_next_number = itertools.count().__next__


class Hook(NamedTuple):
    """A hook and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


def register(hooks: OrderedDict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Put `hook` last, or first with `prepend`, among `hooks`."""
    number = _next_number()
    hooks[number] = hook
    if prepend:
        hooks.move_to_end(number, last=False)
    return RemovableHandle(hooks, number)


class Calling(Registration):
    """What `module(input)` does."""

    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_hooks: OrderedDict[int, Hook]
    _backward_pre_hooks: OrderedDict[int, Callable[..., Any]]
    _backward_hooks: OrderedDict[int, Callable[..., Any]]

    _compiled_call_impl: Callable[..., Any] | None = None

    def __init__(self) -> None:
        super().__init__()
        for kind in HOOKS:
            self.__dict__[kind] = OrderedDict()

    def forward(self, *input: Any) -> Any:
        """What the module computes; each module gives its own.

        Raises NotImplementedError where a module has not.
        """
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of `forward`, the hooks run before and after it."""
        if self._compiled_call_impl is not None:
            return self._compiled_call_impl(*args, **kwargs)
        return self._call_impl(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        ):
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Have calls of this module run compiled: `torch.compile` of what it does, in place.

        >>> import tinygrad_mnist as torch
        >>> layer = torch.nn.Linear(2, 1)
        >>> layer.compile()
        >>> layer(torch.ones(3, 2)).shape
        torch.Size([3, 1])
        """
        package = importlib.import_module("tinygrad_mnist")
        self._compiled_call_impl = package.compile(self._call_impl, *args, **kwargs)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        called: set[int] = set()
        result = None
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            watched = None
            if self._backward_hooks or self._backward_pre_hooks:
                watched = WatchedCall(self)
                args = watched.watch_inputs(args)
            result = self.forward(*args, **kwargs)
            for number, hook in list(self._forward_hooks.items()):
                called.add(number)
                changed = self._run_hook(hook, args, kwargs, result)
                result = result if changed is None else changed
            if watched is not None:
                result = watched.watch_outputs(result)
        except Exception:
            self._run_remaining_hooks(called, args, kwargs, result)
            raise
        return result

    def _run_pre_hooks(self, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for hook in list(self._forward_pre_hooks.values()):
            if hook.with_kwargs:
                changed = hook.function(self, args, kwargs)
                if changed is None:
                    continue
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                args, kwargs = changed
            else:
                changed = hook.function(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        return args, kwargs

    def _run_hook(self, hook: Hook, args: Any, kwargs: Any, result: Any) -> Any:
        if hook.with_kwargs:
            return hook.function(self, args, kwargs, result)
        return hook.function(self, args, result)

    def _run_remaining_hooks(self, called: set[int], args: Any, kwargs: Any, result: Any) -> None:
        """After an error: the hooks that asked for `always_call` and have not run."""
        for number, hook in list(self._forward_hooks.items()):
            if not hook.always_call or number in called:
                continue
            try:
                self._run_hook(hook, args, kwargs, result)
            except Exception as error:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception "
                    f"that was silenced as another error was raised in forward: {error}",
                    stacklevel=2,
                )

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns takes the place of args.

        With `with_kwargs` it is `hook(module, args, kwargs)`, which returns None or both.
        `prepend` puts it before the hooks that are there.
        """
        return register(self._forward_pre_hooks, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after each forward; it may return another output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`. `prepend` puts it before
        the hooks that are there; `always_call` calls it even when forward raises.

        >>> import tinygrad_mnist as torch
        >>> layer = torch.nn.Linear(3, 2)
        >>> handle = layer.register_forward_hook(lambda m, args, out: print(list(out.shape)))
        >>> _ = layer(torch.ones(5, 3))
        [5, 2]
        >>> handle.remove()
        """
        return register(self._forward_hooks, Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known.

        A tuple that it returns takes their place in what is computed from them.
        """
        return register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Both are tuples, with None for what requires none. A tuple that it returns takes the place
        of `grad_input`.

        >>> import tinygrad_mnist as torch
        >>> layer = torch.nn.ReLU()
        >>> handle = layer.register_full_backward_hook(lambda m, gi, go: print(gi, go))
        >>> layer(torch.tensor([1.0, -1.0], requires_grad=True)).sum().backward()
        (tensor([1., 0.]),) (tensor([1., 1.]),)
        """
        return register(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Refused: PyTorch itself has put `register_full_backward_hook` in its place."""
        raise NotImplementedError(
            "register_backward_hook is not supported: use register_full_backward_hook"
        )
