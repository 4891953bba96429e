"""Backward hooks of modules: what they see is caught where gradients enter and leave a call.

The inputs and the outputs of a call each pass an operation that changes nothing. When a gradient
comes back to the outputs' one, it is what has arrived at the module; when it has come through to
the inputs' one, it is what the module hands on, and the hooks are called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.autograd import is_grad_enabled
from tinygrad_mnist.autograd.function import Function

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
