"""Calling a module: forward, and the hooks before and after it."""

from __future__ import annotations

import importlib
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.autograd import is_grad_enabled
from tinygrad_mnist.autograd.function import Function
from tinygrad_mnist.engine.hooks import RemovableHandle

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


# backward_hooks: Backward hooks of modules

Gradients = tuple[Any, ...]
React = Callable[[Gradients], Gradients]


class BackwardHookFunction(Function):
    """Hands tensors on as they are; their gradients pass a function on the way back."""

    @staticmethod
    def forward(ctx: Any, react: React, zeros: bool, *tensors: Any) -> Any:
        """The tensors; `zeros` says whether a gradient that does not come is 0, not None."""
        ctx.react = react
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[each for each in tensors if not each.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """What `react` makes of the gradients."""
        return (None, None, *ctx.react(gradients))


class WatchedCall:
    """One call of a module, as its backward hooks see it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.hooks = list(module._backward_hooks.values())
        self.pre_hooks = list(module._backward_pre_hooks.values())
        self.arrived: Gradients | None = None
        """The gradients of the outputs, until those of the inputs are known as well."""
        self.inputs: list[int] | None = None
        """Where among the arguments the tensors are; None when none requires a gradient."""
        self.arguments = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, their gradients watched."""
        self.arguments = len(args)
        passed, self.inputs = _watched(args, self._hand_on, zeros=True)
        return passed

    def watch_outputs(self, result: Any) -> Any:
        """The result, its gradients watched."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        places = [i for i, each in enumerate(outputs) if isinstance(each, Tensor)]

        def take_in(gradients: Gradients) -> Gradients:
            arrived = self._take_in(_spread(gradients, places, len(outputs)))
            return tuple([arrived[place] for place in places])

        passed, _ = _watched(outputs, take_in, zeros=False)
        return passed if isinstance(result, tuple) else passed[0]

    def _take_in(self, gradients: Gradients) -> Gradients:
        """The gradients of the outputs: run the pre-hooks, and keep them for the hooks."""
        for hook in self.pre_hooks:
            gradients = _replaced(
                hook(self.module, gradients), gradients, "pre hook", "grad_output"
            )
        self.arrived = gradients
        if self.inputs is None:
            self._run_hooks_without_inputs(gradients)
        return gradients

    def _run_hooks_without_inputs(self, gradients: Gradients) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See https://docs.pytorch.org/docs/main/"
            "generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more "
            "details.",
            stacklevel=2,
        )
        for hook in self.hooks:
            result = hook(self.module, (None,) * self.arguments, gradients)
            if result is not None and any(each is not None for each in result):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.arrived = None

    def _hand_on(self, gradients: Gradients) -> Gradients:
        """The gradients of the inputs: run the hooks, and hand on what they return."""
        if self.arrived is None or self.inputs is None:
            return gradients
        spread = _spread(gradients, self.inputs, self.arguments)
        for hook in self.hooks:
            changed = hook(self.module, spread, self.arrived)
            spread = _replaced(changed, spread, "hook", "grad_input")
        self.arrived = None
        return tuple([spread[place] for place in self.inputs])


def _watched(
    values: tuple[Any, ...], react: React, zeros: bool
) -> tuple[tuple[Any, ...], list[int] | None]:
    """The values, the gradients of the tensors among them watched, and where these are."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not is_grad_enabled() or not any(values[place].requires_grad for place in places):
        return values, None
    passed = list(values)
    tensors = BackwardHookFunction.apply(react, zeros, *[values[place] for place in places])
    for place, tensor in zip(places, tensors, strict=True):
        passed[place] = tensor
    return tuple(passed), places


def _spread(gradients: Gradients, places: Sequence[int], count: int) -> Gradients:
    """The gradients at their places among `count`, None elsewhere."""
    spread: list[Any] = [None] * count
    for place, gradient in zip(places, gradients, strict=True):
        spread[place] = gradient
    return tuple(spread)


def _replaced(returned: Any, gradients: Gradients, who: str, what: str) -> Gradients:
    if returned is None:
        return gradients
    changed = returned if isinstance(returned, tuple) else tuple(returned)
    if len(changed) != len(gradients):
        raise RuntimeError(
            f"Backward {who} returned an invalid number of {what}, got {len(changed)}, "
            f"but expected {len(gradients)}"
        )
    return changed
