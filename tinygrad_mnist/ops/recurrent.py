"""Recurrent layers: a walk along sequences in one step, and the same composed of operations.

The walk is one primitive, and its derivative another, so that a long sequence leaves one record.
Where gradients are themselves recorded, the composed form gives them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.backward_pass import run_backward
from tinygrad_mnist.engine.modes import GradMode
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor, TensorBase
from tinygrad_mnist.kernels import recurrent as kernels
from tinygrad_mnist.kernels.dispatch import FLOATS

from .casting import clone
from .elementwise import sigmoid, tanh
from .joining import cat
from .matmul import matmul
from .second_derivatives import through
from .softmax import relu

MODES = ("RNN_RELU", "RNN_TANH", "LSTM", "GRU")


def gates_of(mode: int) -> int:
    """How many gates a kind of layer has."""
    return kernels.GATES[mode]


@primitive
def _recurrent(
    pre: Array, hidden: Array, cell: Array, weight: Array, bias: Array, *, offsets: Array,
    mode: int, reverse: bool,
) -> Any:  # fmt: skip
    """x + h Wᵀ + b, squashed into gates and the next h, step by step: all states and gates"""
    out = np.empty(kernels.walk_size(mode, len(pre), *hidden.shape), pre.dtype)
    kernels.recurrent_walk(pre, hidden, cell, weight, bias, offsets, mode, reverse, out)
    return out


@primitive
def _recurrent_backward(
    grad: Array, grad_h: Array, grad_c: Array, walk: Array, weight: Array, *, offsets: Array,
    mode: int, reverse: bool,
) -> Any:  # fmt: skip
    """g, brought back through the gates step by step"""
    out = np.empty(kernels.walk_back_size(mode, len(grad), *grad_h.shape), grad.dtype)
    kernels.recurrent_walk_back(grad, grad_h, grad_c, walk, weight, offsets, mode, reverse, out)
    return out


def _ends(walk: Any, rows: int, shape: tuple[int, ...], mode: int) -> tuple[Any, Any, Any]:
    """Each row's result, the last states and the last cells, of a walk or of its gradient."""
    batch, width = shape
    h = len(walk) - batch * width * (1 + (mode == kernels.LSTM))
    results = walk[h - rows * width : h].reshape(rows, width)
    last = walk[h : h + batch * width].reshape(batch, width)
    return results, last, walk[len(walk) - batch * width :].reshape(batch, width)


_Gradients = list[Any]


class _Found(threading.local):
    """The gradients of all inputs that were computed last: five formulas ask for one each."""

    of: weakref.ref[Any] | None = None
    gradients: _Gradients | None = None

    def for_(self, g: Any, compute: Callable[[], _Gradients]) -> _Gradients:
        """The gradients that belong to `g`, computed where they are not known."""
        if self.gradients is None or self.of is None or self.of() is not g:
            self.gradients = compute()
            self.of = weakref.ref(g, self._forget)
        return self.gradients

    def _forget(self, reference: Any) -> None:
        if self.of is reference:
            self.of = self.gradients = None


_found = _Found()


def _gradient(
    g: Any, pre: Any, hidden: Any, cell: Any, weight: Any, bias: Any, out: Any, offsets: Any,
    mode: int, reverse: bool, position: int,
) -> Any:  # fmt: skip
    """The gradient of the input at this position."""
    if isinstance(g, TensorBase) and state.grad_enabled:
        inputs = (pre, hidden, cell, weight, bias)
        found = _found.for_(g, lambda: _recorded(g, inputs, (offsets, mode, reverse)))
    else:
        found = _found.for_(
            g, lambda: [_walked_back(g, hidden, weight, out, offsets, mode, reverse)]
        )
        return _part(found[0], position, pre, hidden, out, mode)
    return found[position]


def _walked_back(
    g: Any, hidden: Any, weight: Any, out: Any, offsets: Any, mode: int, reverse: bool
) -> Any:
    rows = int(offsets[-1])
    grads = _ends(g, rows, hidden.shape, mode)
    return _recurrent_backward(*grads, out, weight, offsets=offsets, mode=mode, reverse=reverse)


def _part(back: Any, position: int, pre: Any, hidden: Any, out: Any, mode: int) -> Any:
    """One input's gradient, of what the walk back left."""
    (batch, width), size = hidden.shape, pre.shape[0] * pre.shape[1]
    first = size * (1 + (mode == kernels.GRU))
    if position == 0:
        return back[:size].reshape(pre.shape)
    if position == 1:
        return back[first : first + batch * width].reshape(batch, width)
    if position == 2:
        return back[len(back) - batch * width :].reshape(batch, width)
    outer = back[first - size : first].reshape(pre.shape)
    if position == 3:
        before = out[: pre.shape[0] * width].reshape(pre.shape[0], width)
        return outer.T @ before
    return outer.sum(0)


def _recorded(g: Any, inputs: tuple[Any, ...], walk: tuple[Any, ...]) -> _Gradients:
    """The gradients as Tensors that were computed of `g` and the inputs."""
    with GradMode(True):
        own = [through(each) if each._record is not None else each for each in inputs]
        ends: tuple[Any, ...] = composed(*own, *walk)
    wanted = _ends(g, len(inputs[0]), inputs[1].shape, walk[1])
    starts = [
        (end._record, grad) for end, grad in zip(ends, wanted, strict=True) if end is not None
    ]
    asked = {each._record for each, given in zip(own, inputs, strict=True) if each is not given}
    arrived = run_backward(
        starts, keep_graph=True, create_graph=True, inputs=asked, accumulate=False
    )
    return [arrived.get(each._record) if each is not given else None
            for each, given in zip(own, inputs, strict=True)]  # fmt: skip


_recurrent.derivatives(
    pre=lambda g, pre, hidden, cell, weight, bias, out, offsets, mode, reverse, position: _gradient(
        g, pre, hidden, cell, weight, bias, out, offsets, mode, reverse, position
    ),
    **dict.fromkeys(("hidden", "cell", "weight", "bias"), _gradient),
)


def composed(
    pre: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, bias: Tensor, offsets: Array,
    mode: int, reverse: bool, projection: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:  # fmt: skip
    """Each row's result, the last states and (of an LSTM) the last cells, step by step."""
    steps = [(int(offsets[t]), int(offsets[t + 1])) for t in range(len(offsets) - 1)]
    h, c, results = hidden, cell, []
    for first, last in reversed(steps) if reverse else steps:
        count = last - first
        new, kept = _step(pre[first:last], h[:count], c[:count], weight, bias, mode)
        if projection is not None:
            new = matmul(new, projection.T)
        results.append(new)
        h = cat([new, h[count:]])
        c = c if kept is None else cat([kept, c[count:]])
    made = cat(results[::-1] if reverse else results)
    return made, h, c if mode == kernels.LSTM else None


def _step(
    x: Tensor, h: Tensor, c: Tensor, weight: Tensor, bias: Tensor, mode: int
) -> tuple[Tensor, Tensor | None]:
    """The next state and cell, of what the input contributes to the gates."""
    from_h = matmul(h, weight.T)
    from_h = from_h + bias
    width = weight.shape[0] // gates_of(mode)
    if mode == kernels.GRU:
        both = sigmoid(x[:, : 2 * width] + from_h[:, : 2 * width])
        n = tanh(x[:, 2 * width :] + both[:, :width] * from_h[:, 2 * width :])
        return n + both[:, width:] * (h - n), None
    gates = x + from_h
    if mode != kernels.LSTM:
        return (tanh if mode == kernels.RNN_TANH else relu)(gates), None
    i, f, g, o = (gates[:, k * width : (k + 1) * width] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


_NAMES = ("StackBackward0", "StackBackward0", "MkldnnRnnLayerBackward0", "StackBackward0")


def recurrent(
    pre: Tensor, hidden: Tensor, cell: Tensor | None, weight: Tensor, bias: Tensor,
    offsets: Array, mode: int, reverse: bool = False, projection: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:  # fmt: skip
    """Each row's result, the last states and (of an LSTM) the last cells.

    `pre` (rows, gates) is what the inputs contribute to the gates: at step t, that of the rows from
    `offsets[t]` on, of as many sequences, the longest first, as there are rows until the next
    offset. `hidden` and `cell` (batch, width) are the first states. `bias` is one 0 where there
    is none.
    """
    cell = hidden.detach() if cell is None else cell
    if projection is not None or pre._array.dtype not in FLOATS or not pre._array.size:
        return composed(pre, hidden, cell, weight, bias, offsets, mode, reverse, projection)
    walk = _recurrent(pre, hidden, cell, weight, bias, offsets=offsets, mode=mode, reverse=reverse)
    ends = _ends(walk, pre._array.shape[0], hidden._array.shape, mode)
    made, h, c = [named_as(clone(end), _NAMES[mode]) for end in ends]
    return made, h, c if mode == kernels.LSTM else None
