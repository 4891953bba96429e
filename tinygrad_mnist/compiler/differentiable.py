"""Functions whose results may be differentiated after the call: a program forward, one backward.

Both are cut from one trace: the function, then the backward pass from its results to whatever
requires gradients. What needs the gradients of the results is the program backward; what it reads
besides them is saved by the program forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_mnist.autograd.function import Function, refusing
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.tensor import Tensor, wrap

from .cache_entry import CacheEntry, Declined
from .inputs import Arguments
from .program import Array, Constant, Input, Number, Program, Value

_TWICE = "torch.compile with aot_autograd does not currently support double backward"


@dataclass(frozen=True)
class Halves:
    """A program cut in two."""

    forward: Program
    backward: Program
    saved: list[Value]
    """What the program backward is given before the gradients of the results."""


def cut(
    whole: Program, results: list[Value], gradients: list[Input], wanted: list[Value]
) -> Halves:
    """Cut a program that computes `results`, and from their `gradients` what is `wanted`.

    The gradients are the last of its inputs.
    """
    late: set[Value] = set(gradients)
    for i in whole.instructions:
        if not late.isdisjoint(i.operands):
            late.add(i.output)
    ahead = [i for i in whole.instructions if i.output not in late]
    behind = [i for i in whole.instructions if i.output in late]
    read = dict.fromkeys([v for i in behind for v in i.operands] + wanted)
    saved = [v for v in read if v not in late and not isinstance(v, Number | Constant)]
    inputs: dict[Value, Input] = {}
    for position, value in enumerate([*saved, *gradients]):
        name = value.name or f"saved{position}"
        inputs[value] = Input(value.shape, value.dtype, name, position=position)
    given = list(inputs.values())
    backward = Program(given, behind, wanted, []).replaced(inputs)
    kept = [v for v in saved if not isinstance(v, Input)]
    first = whole.inputs[: len(whole.inputs) - len(gradients)]
    forward = Program(first, ahead, list(dict.fromkeys([*results, *kept])), whole.writes)
    return Halves(forward, backward, saved)


@dataclass
class Differentiable(CacheEntry):
    """An entry whose results have records."""

    outputs: Sequence[Value] = ()
    """The results to be differentiated."""
    saved: Sequence[Value] = ()
    sources: Sequence[int] = ()
    """Which inputs require gradients; the program backward gives theirs in this order."""

    def recorded(
        self, found: dict[Value, Any], tensors: list[Tensor], arguments: Arguments
    ) -> dict[Value, Any]:
        """The results, those to be differentiated as tensors with a record."""
        run = _Run(self, found, self.numbers.read(arguments), len(tensors))
        outputs = CompiledFunction.apply(run, *tensors)
        several = outputs if isinstance(outputs, tuple) else (outputs,)
        return found | dict(zip(self.outputs, several, strict=True))

    def learn(self, earlier: CacheEntry) -> None:
        """As any entry does, if the program backward was predicted, too."""
        if isinstance(earlier, Differentiable) and self.same_source(earlier):
            assert earlier.back is not None
            assert self.back is not None
            if self.back.numbers.predicted_by(earlier.back.numbers):
                super().learn(earlier)

    def same_source(self, other: CacheEntry) -> bool:
        """Whether two entries run the same code, forward and backward."""
        if not isinstance(other, Differentiable) or self.back is None or other.back is None:
            return False
        return super().same_source(other) and self.back.same_source(other.back)


@dataclass(frozen=True)
class _Run:
    """What one run forward gave."""

    entry: Differentiable
    found: dict[Value, Any]
    numbers: list[float]
    """The numbers from outside, as they were."""
    inputs: int


class CompiledFunction(Function):
    """A compiled function as one operation."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The results, which were computed already; what the program backward reads is kept."""
        ctx.save_for_backward(*[_saved(value, run, tensors) for value in run.entry.saved])
        ctx.entry, ctx.numbers, ctx.inputs = run.entry, run.numbers, run.inputs
        return tuple([wrap(run.found[value]) for value in run.entry.outputs])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of everything that requires them."""
        entry, saved = ctx.entry, ctx.saved_tensors
        given = [_in_rows(tensor._array) for tensor in (*saved, *gradients)]
        try:
            done, found = entry.back.run((*map(wrap, given), *ctx.numbers))
        except Declined:
            done, found = False, ()
        if not done:
            raise RuntimeError("compile: an index that the gradients need was changed meanwhile")
        sent: list[Tensor | None] = [None] * ctx.inputs
        for position, gradient in zip(entry.sources, found, strict=True):
            sent[position] = gradient
        if state.grad_enabled:
            return None, *refusing(sent, gradients, _TWICE, ctx._node.inputs)
        return None, *sent


def _saved(value: Value, run: _Run, tensors: Sequence[Tensor]) -> Tensor:
    return tensors[value.position] if isinstance(value, Input) else wrap(run.found[value])


def _in_rows(array: Array) -> Array:
    return np.ascontiguousarray(array).reshape(array.shape)
