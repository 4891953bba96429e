"""The tangents of a Function's outputs: by its `jvp`, as those of operations by their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.engine.tensor import Tensor, wrap

_VIEW = "A custom Function's forward is returning a view (or an input as-is) but the jvp is not "


class Tangents:
    """The tangents of a Function's arguments at the open levels, before its forward runs."""

    def __init__(self, function: Any, ctx: Any, args: tuple[Any, ...]) -> None:
        self.function, self.ctx, self.args = function, ctx, args
        self.levels = [
            (level, [level.tangent(a) if isinstance(a, Tensor) else None for a in args])
            for level in backward_mode.levels
        ]
        self.constant: list[bool] = []

    def unseen(self) -> observe:
        """What forward computes is none of the levels' business."""
        return observe(self.levels[0][0].outside)

    def note(self, outputs: tuple[Any, ...]) -> None:
        """Remember what forward said of its outputs."""
        self.dirty = self.ctx._dirty
        constant = {id(each) for each in self.ctx._constant}
        self.constant = [
            id(each) in constant or not isinstance(each, Tensor) or not each.is_floating_point()
            for each in outputs
        ]

    def push(self, results: tuple[Any, ...]) -> None:
        """Give the results their tangents at each level."""
        for result in results:
            if isinstance(result, Tensor) and self._source(result) is not None:
                result._array = result._array[...]
        for level, tangents in self.levels:
            if not backward_mode.forward or all(each is None for each in tangents):
                continue
            with observe(level.outside):
                pushed = self._pushed(tangents)
            if len(pushed) != len(results):
                raise RuntimeError(
                    f"{self.function.__name__}.jvp returned {len(pushed)} tangents for "
                    f"{len(results)} outputs"
                )
            for position, (result, tangent) in enumerate(zip(results, pushed, strict=True)):
                self._check(position, result, tangent, tangents)
                if tangent is not None:
                    level.set(result, tangent)

    def _pushed(self, tangents: list[Any]) -> tuple[Any, ...]:
        """What `jvp` returns, zeros given where an argument has no tangent."""
        if self.ctx.materialize_grads:
            tangents = [
                wrap(np.zeros_like(a._array))
                if t is None and isinstance(a, Tensor) and a.is_floating_point()
                else t
                for a, t in zip(self.args, tangents, strict=True)
            ]
        self.versions = [(each, each._counter[0]) for each in tangents if each is not None]
        self.ctx._pushing = True
        try:
            pushed = self.function.jvp(self.ctx, *tangents)
        finally:
            self.ctx._pushing = False
        return pushed if isinstance(pushed, tuple) else (pushed,)

    def _source(self, result: Any) -> int | None:
        """The argument, by its number, that a result is as it was; of those not changed."""
        if any(result is each for each in self.dirty):
            return None
        own = enumerate(self.args)
        return next((i for i, a in own if getattr(a, "_array", None) is result._array), None)

    def _check(self, position: int, result: Any, tangent: Any, tangents: list[Any]) -> None:
        """Raise PyTorch's errors for a tangent that does not fit its output."""
        if self.constant[position] and tangent is not None:
            raise RuntimeError(
                f"{self.function.__name__}.jvp returned a tangent at position {position}, but "
                "that output is not differentiable. You should return None at that position "
                "instead."
            )
        if tangent is None:
            return
        own = [t for t in tangents if t is not None]
        if any(result is each for each in self.dirty):
            if not any(tangent is t and t._counter[0] > n for t, n in self.versions):
                raise RuntimeError(
                    "An inplace custom Function is not modifying the forward mode gradients "
                    "inplace. If the forward is modifying an input inplace, then the jvp function "
                    "must modify the corresponding gradient inplace."
                )
        elif result._view is not None:
            if tangent._view is None:
                raise RuntimeError(f"{_VIEW}returning a view.")
            bases = [each if each._view is None else each._view[0] for each in own]
            if not any(tangent._view[0] is base for base in bases):
                of_view = any(each._view is not None for each in own)
                what = "same base as the given grad input" if of_view else "given grad input"
                raise RuntimeError(f"{_VIEW}returning a view of the {what}.")
