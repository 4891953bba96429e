"""A recurrent layer's walk along sequences, and the walk back: products and gates, step by step.

Rows hold what happens at every step to every sequence, step by step: row `offsets[t]` is the first
of step t, and as many follow as there are sequences that long, the longest first. PyTorch calls
this layout packed.

Everything is kept in one flat array, part after part: for each row the state before, the gates, and
what the derivative needs besides; then each row's result; at last each sequence's last states.

The functions are written in what NumPy and Numba both know: compiled programs call them too.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

RNN_RELU: Final = 0
RNN_TANH: Final = 1
LSTM: Final = 2
GRU: Final = 3
"""PyTorch's numbers for the kinds of layers."""

GATES: Final = (1, 1, 4, 3)
"""How many times as wide as the state the gates of each kind are."""
_KEPT: Final = (0, 0, 2, 1)
"""How many states more are kept for a row: cells before and squashed; the candidate's summand."""


def walk_size(mode: int, rows: int, batch: int, width: int) -> int:
    """How many numbers a walk leaves."""
    states = 2 if mode == LSTM else 1
    return width * (rows * (2 + GATES[mode] + _KEPT[mode]) + batch * states)


def walk_back_size(mode: int, rows: int, batch: int, width: int) -> int:
    """How many numbers the walk back leaves."""
    gates, states = (2 if mode == GRU else 1), (2 if mode == LSTM else 1)
    return width * (rows * GATES[mode] * gates + batch * states)


def recurrent_walk(
    pre: Array, hidden: Array, cell: Array, weight: Array, bias: Array, offsets: Array,
    mode: int, reverse: bool, out: Array,
) -> None:  # fmt: skip
    """Walk from the states `hidden` and `cell`; fill `out`, the flat array.

    `pre` (rows, gates) is what the inputs contribute to the gates, `weight` (gates, width) and
    `bias`, which is one 0 where there is none, give what the state before does. Of other kinds than
    the LSTM, `cell` is not looked at.
    """
    rows, width = pre.shape[0], hidden.shape[1]
    size, batch = rows * width, hidden.shape[0]
    first = size + pre.size
    before = out[:size].reshape((rows, width))
    gates = out[size:first].reshape(pre.shape)
    second = out[first : first + size * (mode >= LSTM)].reshape((-1, width))
    third = out[first + size : first + size * (1 + (mode == LSTM))].reshape((-1, width))
    end = len(out) - batch * width * (1 + (mode == LSTM))
    result = out[end - size : end].reshape((rows, width))
    h = out[end : end + batch * width].reshape((batch, width))
    c = out[len(out) - batch * width :].reshape((batch, width))
    c[:] = cell
    h[:] = hidden
    steps = len(offsets) - 1
    for step in range(steps):
        t = steps - 1 - step if reverse else step
        i, j = offsets[t], offsets[t + 1]
        state, made, here = h[: j - i], result[i:j], gates[i:j]
        before[i:j] = state
        np.dot(before[i:j], weight.T, here)
        if len(bias) == len(weight):
            here += bias
        if mode == GRU:
            gru_step(here, pre[i:j], state, second[i:j], made)
        else:
            here += pre[i:j]
            if mode == LSTM:
                lstm_step(here, c[: j - i], second[i:j], third[i:j], made)
            else:
                if mode == RNN_TANH:
                    tanh_of(here)
                else:
                    here[:] = np.maximum(here, here.dtype.type(0))
                made[:] = here
        state[:] = made


def lstm_step(gates: Array, c: Array, before: Array, squashed: Array, h: Array) -> None:
    """c = f · c + i · g, h = o · tanh c, for gates i, f, g, o, which are squashed here."""
    w = c.shape[1]
    sigmoid_of(gates[:, : 2 * w])
    tanh_of(gates[:, 2 * w : 3 * w])
    sigmoid_of(gates[:, 3 * w :])
    before[:] = c
    np.multiply(c, gates[:, w : 2 * w], c)
    np.multiply(gates[:, :w], gates[:, 2 * w : 3 * w], h)
    np.add(c, h, c)
    squashed[:] = c
    tanh_of(squashed)
    np.multiply(gates[:, 3 * w :], squashed, h)


def gru_step(gates: Array, pre: Array, before: Array, candidate: Array, h: Array) -> None:
    """h = n + z · (h − n), n = tanh(pre + r · candidate), for gates r, z, n."""
    w = before.shape[1]
    both, n = gates[:, : 2 * w], gates[:, 2 * w :]
    np.add(both, pre[:, : 2 * w], both)
    sigmoid_of(both)
    candidate[:] = n
    np.multiply(n, gates[:, :w], n)
    np.add(n, pre[:, 2 * w :], n)
    tanh_of(n)
    np.subtract(before, n, h)
    np.multiply(h, gates[:, w : 2 * w], h)
    np.add(h, n, h)


def recurrent_walk_back(
    grad: Array, grad_h: Array, grad_c: Array, walk: Array, weight: Array, offsets: Array,
    mode: int, reverse: bool, out: Array,
) -> None:  # fmt: skip
    """Walk back with the gradients of each row's result and of the last states; fill `out`.

    That holds the gradients of what the inputs contributed to the gates, of a GRU those of what the
    states contributed, too; at last those of the first states.
    """
    rows, width = grad.shape
    size, batch = rows * width, grad_h.shape[0]
    n = weight.shape[0]
    before = walk[:size].reshape((rows, width))
    gates = walk[size : size + rows * n].reshape((rows, n))
    first = size + rows * n
    second = walk[first : first + size * (mode >= LSTM)].reshape((-1, width))
    third = walk[first + size : first + size * (1 + (mode == LSTM))].reshape((-1, width))
    inner = out[: rows * n].reshape((rows, n))
    end = rows * n * (1 + (mode == GRU))
    outer = out[end - rows * n : end].reshape((rows, n))
    h = out[end : end + batch * width].reshape((batch, width))
    c = out[len(out) - batch * width :].reshape((batch, width))
    c[:] = grad_c
    h[:] = grad_h
    work = np.empty_like(grad_h)
    steps = len(offsets) - 1
    for step in range(steps):
        t = step if reverse else steps - 1 - step
        i, j = offsets[t], offsets[t + 1]
        g, made, here, spare = h[: j - i], inner[i:j], gates[i:j], work[: j - i]
        np.add(g, grad[i:j], g)
        if mode == GRU:
            gru_step_back(g, here, before[i:j], second[i:j], made, outer[i:j], spare)
            np.dot(outer[i:j], weight, spare)
            np.add(g, spare, g)
            continue
        if mode == LSTM:
            lstm_step_back(g, c[: j - i], here, second[i:j], third[i:j], made, spare)
        elif mode == RNN_TANH:
            slope_of_tanh(here, spare)
            np.multiply(g, spare, made)
        else:
            np.multiply(g, here > 0, made)
        np.dot(made, weight, g)


def slope_of_tanh(y: Array, out: Array) -> None:
    """1 − y²"""
    np.multiply(y, y, out)
    np.subtract(y.dtype.type(1), out, out)


def slope_of_sigmoid(y: Array, out: Array) -> None:
    """y · (1 − y)"""
    np.subtract(y.dtype.type(1), y, out)
    np.multiply(y, out, out)


def lstm_step_back(
    g: Array, c: Array, gates: Array, before: Array, squashed: Array, out: Array, work: Array
) -> None:
    """The gradients of the gates into `out`, those of the cell before into `c`."""
    w = c.shape[1]
    slope_of_tanh(squashed, work)
    np.multiply(work, gates[:, 3 * w :], work)
    np.multiply(work, g, work)
    np.add(c, work, c)
    slope_of_sigmoid(gates, out)
    slope_of_tanh(gates[:, 2 * w : 3 * w], out[:, 2 * w : 3 * w])
    np.multiply(c, gates[:, 2 * w : 3 * w], work)
    np.multiply(out[:, :w], work, out[:, :w])
    np.multiply(c, before, work)
    np.multiply(out[:, w : 2 * w], work, out[:, w : 2 * w])
    np.multiply(c, gates[:, :w], work)
    np.multiply(out[:, 2 * w : 3 * w], work, out[:, 2 * w : 3 * w])
    np.multiply(g, squashed, work)
    np.multiply(out[:, 3 * w :], work, out[:, 3 * w :])
    np.multiply(c, gates[:, w : 2 * w], c)


def gru_step_back(
    g: Array, gates: Array, before: Array, candidate: Array, inner: Array, outer: Array,
    work: Array,
) -> None:  # fmt: skip
    """The gradients of the gates into `inner` and `outer`; what goes straight back stays in `g`."""
    w = g.shape[1]
    n, both = gates[:, 2 * w :], inner[:, : 2 * w]
    slope_of_tanh(n, inner[:, 2 * w :])
    np.subtract(g.dtype.type(1), gates[:, w : 2 * w], work)
    np.multiply(work, g, work)
    np.multiply(inner[:, 2 * w :], work, inner[:, 2 * w :])
    slope_of_sigmoid(gates[:, : 2 * w], both)
    np.multiply(inner[:, 2 * w :], candidate, work)
    np.multiply(inner[:, :w], work, inner[:, :w])
    np.subtract(before, n, work)
    np.multiply(work, g, work)
    np.multiply(inner[:, w : 2 * w], work, inner[:, w : 2 * w])
    outer[:, : 2 * w] = both
    np.multiply(inner[:, 2 * w :], gates[:, :w], outer[:, 2 * w :])
    np.multiply(g, gates[:, w : 2 * w], g)


def sigmoid_of(x: Array) -> None:
    """Put 1 / (1 + e⁻ˣ) in the place of each x; compiled programs have a loop of their own."""
    np.subtract(x.dtype.type(0), x, x)  # NumPy 2.4's negative fails in place, where x has gaps
    np.exp(x, x)
    np.add(x, x.dtype.type(1), x)
    np.reciprocal(x, x)


def tanh_of(x: Array) -> None:
    """Put tanh x in the place of each x; compiled programs have a loop of their own."""
    np.tanh(x, x)
