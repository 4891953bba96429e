"""Calling a module: forward, and the hooks before and after it."""

from __future__ import annotations

import importlib
import itertools
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_mnist.autograd import is_grad_enabled
from tinygrad_mnist.autograd.function import Function
from tinygrad_mnist.engine.hooks import RemovableHandle
from tinygrad_mnist.engine.tensor import TensorBase

from .registration import Registration

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

    if TYPE_CHECKING:
        forward: Callable[..., Any]
    else:

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
            backward = None
            if self._backward_hooks or self._backward_pre_hooks:
                backward = BackwardHook(self)
                args = backward.setup_input_hook(args)
            result = self.forward(*args, **kwargs)
            for number, hook in list(self._forward_hooks.items()):
                called.add(number)
                changed = self._run_hook(hook, args, kwargs, result)
                result = result if changed is None else changed
            if backward is not None:
                result = backward.setup_output_hook(result)
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
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:  # fmt: skip
        """Call `hook(module, args, output)` after each forward; it may return another output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`. `prepend` puts it before
        the hooks that are there; `always_call` calls it even when forward raises.

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


# Backward hooks: the inputs and outputs of a call each pass an operation that changes nothing, and
# where gradients reach it in the backward pass, the hooks are run.

Gradients = tuple[Any, ...]


class BackwardHookFunction(Function):
    """The tensors unchanged; what `run` returns takes the place of their gradients."""

    @staticmethod
    def forward(ctx: Any, run: Any, zeros: bool, *tensors: Any) -> Any:
        """The tensors; `zeros` says whether a gradient that does not come is 0, not None."""
        ctx.run = run
        ctx.set_materialize_grads(zeros)
        ctx.mark_non_differentiable(*[each for each in tensors if not each.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """What `run` makes of the gradients."""
        return (None, None, *ctx.run(gradients))


class BackwardHook:
    """One call of a module, as its backward hooks see it."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.hooks = list(module._backward_hooks.values())
        self.pre_hooks = list(module._backward_pre_hooks.values())
        self.grad_outputs: Gradients | None = None
        """The gradients of the outputs, until those of the inputs are known as well."""
        self.has_inputs = False
        """Whether an input requires a gradient."""
        self.count = 0

    def setup_input_hook(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments; the hooks run when their gradients are known."""
        self.count = len(args)
        args, self.has_inputs = _intercepted(args, self._at_inputs, zeros=True)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """The result; the pre-hooks run when its gradients are known."""
        if not isinstance(result, TensorBase | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        outputs, _ = _intercepted(outputs, self._at_outputs, zeros=False)
        if not isinstance(result, tuple):
            return outputs[0]
        make = getattr(type(result), "_make", type(result))
        return make(outputs)

    def _at_outputs(self, gradients: Gradients) -> Gradients:
        for hook in self.pre_hooks:
            changed = hook(self.module, gradients)
            gradients = _replaced(changed, gradients, "pre hook", "grad_output")
        self.grad_outputs = gradients
        if not self.has_inputs:
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
            result = hook(self.module, (None,) * self.count, gradients)
            if result is not None and any(each is not None for each in result):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None

    def _at_inputs(self, gradients: Gradients) -> Gradients:
        if self.grad_outputs is not None and self.has_inputs:
            for hook in self.hooks:
                changed = hook(self.module, gradients, self.grad_outputs)
                gradients = _replaced(changed, gradients, "hook", "grad_input")
            self.grad_outputs = None
        return gradients


def _intercepted(
    values: tuple[Any, ...], run: Callable[[Gradients], Gradients], zeros: bool
) -> tuple[tuple[Any, ...], bool]:
    """The values, `run` called with their gradients; whether one requires a gradient at all."""
    indices = [i for i, value in enumerate(values) if isinstance(value, TensorBase)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in indices):
        return values, False

    def run_at_tensors(gradients: Gradients) -> list[Any]:
        given = [None] * len(values)
        for i, gradient in zip(indices, gradients, strict=True):
            given[i] = gradient
        changed = run(tuple(given))
        return [changed[i] for i in indices]

    passed = list(values)
    tensors = BackwardHookFunction.apply(run_at_tensors, zeros, *[values[i] for i in indices])
    for i, tensor in zip(indices, tensors, strict=True):
        passed[i] = tensor
    return tuple(passed), True


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
