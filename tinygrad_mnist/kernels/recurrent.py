"""A recurrent layer's walk along sequences, and the walk back: products and gates, step by step.

Rows hold what happens at every step to every sequence, step by step: row `offsets[t]` is the first
of step t, and as many follow as there are sequences that long, the longest first. PyTorch calls
this layout packed.

Everything is kept in one flat array, part after part: for each row the state before, the gates, and
what the derivative needs besides; then each row's result; at last each sequence's last states.

The walks are written in what NumPy and Numba both know: compiled programs call them too, with loops
in the place of the steps (`compiler.loops.recurrent`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .blas_threads import matmul as product

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

    `pre` (rows, gates) is what the inputs contribute to the gates; `weight` (gates, width) and
    `bias`, which is one 0 where there is none, give what the state before does. Of other kinds than
    the LSTM, `cell` is not looked at.
    """
    rows, (batch, width) = pre.shape[0], hidden.shape
    size, first = rows * width, rows * (width + pre.shape[1])
    before = out[:size].reshape((rows, width))
    gates = out[size:first].reshape(pre.shape)
    second = out[first : first + size * (mode >= LSTM)].reshape((-1, width))
    third = out[first + size : first + size * (1 + (mode == LSTM))].reshape((-1, width))
    end = len(out) - batch * width * (1 + (mode == LSTM))
    result = out[end - size : end].reshape((rows, width))
    h = out[end : end + batch * width].reshape((batch, width))
    c = out[len(out) - batch * width :].reshape((batch, width))
    put(c, cell)
    put(h, hidden)
    steps = len(offsets) - 1
    for step in range(steps):
        t = steps - 1 - step if reverse else step
        i, j = offsets[t], offsets[t + 1]
        state, made, here, x = h[: j - i], result[i:j], gates[i:j], pre[i:j]
        put(before[i:j], state)
        product(before[i:j], weight.T, here)
        if mode == GRU:
            gru_step(here, x, bias, state, second[i:j], made)
        elif mode == LSTM:
            lstm_step(here, x, bias, c[: j - i], second[i:j], third[i:j], made)
        else:
            rnn_step(here, x, bias, mode == RNN_TANH, made)
        put(state, made)


def recurrent_walk_back(
    grad: Array, grad_h: Array, grad_c: Array, walk: Array, weight: Array, offsets: Array,
    mode: int, reverse: bool, out: Array,
) -> None:  # fmt: skip
    """Walk back with the gradients of each row's result and of the last states; fill `out`.

    That holds the gradients of what the inputs contributed to the gates, of a GRU those of what the
    states contributed, too; at last those of the first states.
    """
    rows, (batch, width), n = grad.shape[0], grad_h.shape, weight.shape[0]
    size, first = rows * width, rows * (width + n)
    before = walk[:size].reshape((rows, width))
    gates = walk[size:first].reshape((rows, n))
    second = walk[first : first + size * (mode >= LSTM)].reshape((-1, width))
    third = walk[first + size : first + size * (1 + (mode == LSTM))].reshape((-1, width))
    inner = out[: rows * n].reshape((rows, n))
    end = rows * n * (1 + (mode == GRU))
    outer = out[end - rows * n : end].reshape((rows, n))
    h = out[end : end + batch * width].reshape((batch, width))
    c = out[len(out) - batch * width :].reshape((batch, width))
    put(c, grad_c)
    put(h, grad_h)
    work = np.empty_like(h)
    steps = len(offsets) - 1
    for step in range(steps):
        t = step if reverse else steps - 1 - step
        i, j = offsets[t], offsets[t + 1]
        g, made, here, spare = h[: j - i], inner[i:j], gates[i:j], work[: j - i]
        add_to(g, grad[i:j])
        if mode == GRU:
            gru_step_back(g, here, before[i:j], second[i:j], made, outer[i:j], spare)
            product(outer[i:j], weight, spare)
            add_to(g, spare)
            continue
        if mode == LSTM:
            lstm_step_back(g, c[: j - i], here, second[i:j], third[i:j], made, spare)
        else:
            rnn_step_back(g, here, mode == RNN_TANH, made)
        product(made, weight, g)


# The steps, on matrices


def put(target: Array, source: Array) -> None:
    """target = source"""
    target[:] = source


def add_to(target: Array, source: Array) -> None:
    """target += source"""
    target += source


def rnn_step(gates: Array, pre: Array, bias: Array, tanh: bool, h: Array) -> None:
    """h = tanh(gates + pre + bias), or relu."""
    gates += pre
    gates += bias
    if tanh:
        np.tanh(gates, gates)
    else:
        np.maximum(gates, 0, out=gates)
    h[:] = gates


def lstm_step(
    gates: Array, pre: Array, bias: Array, c: Array, before: Array, squashed: Array, h: Array
) -> None:
    """c = f · c + i · g, h = o · tanh c, for gates i, f, g, o, which are squashed here."""
    w = c.shape[1]
    gates += pre
    gates += bias
    g = gates[:, 2 * w : 3 * w]
    _sigmoid(gates[:, : 2 * w])
    np.tanh(g, g)
    _sigmoid(gates[:, 3 * w :])
    before[:] = c
    c *= gates[:, w : 2 * w]
    np.multiply(gates[:, :w], g, h)
    c += h
    np.tanh(c, squashed)
    np.multiply(gates[:, 3 * w :], squashed, h)


def gru_step(
    gates: Array, pre: Array, bias: Array, before: Array, candidate: Array, h: Array
) -> None:
    """h = n + z · (h − n), n = tanh(pre + r · candidate), for gates r, z, n."""
    w = before.shape[1]
    gates += bias
    both, n = gates[:, : 2 * w], gates[:, 2 * w :]
    both += pre[:, : 2 * w]
    _sigmoid(both)
    candidate[:] = n
    n *= gates[:, :w]
    n += pre[:, 2 * w :]
    np.tanh(n, n)
    np.subtract(before, n, h)
    h *= gates[:, w : 2 * w]
    h += n


def rnn_step_back(g: Array, gates: Array, tanh: bool, out: Array) -> None:
    """The gradients of the gates."""
    if tanh:
        _slope_of_tanh(gates, out)
        out *= g
    else:
        np.multiply(g, gates > 0, out)


def lstm_step_back(
    g: Array, c: Array, gates: Array, before: Array, squashed: Array, out: Array, work: Array
) -> None:
    """The gradients of the gates into `out`, those of the cell before into `c`."""
    w = c.shape[1]
    i, f, n, o = (slice(k * w, (k + 1) * w) for k in range(4))
    _slope_of_tanh(squashed, work)
    work *= gates[:, o]
    work *= g
    c += work
    np.subtract(1, gates, out)
    out *= gates
    _slope_of_tanh(gates[:, n], out[:, n])
    for k, one, other in ((i, c, gates[:, n]), (f, c, before), (n, c, gates[:, i]),
                          (o, g, squashed)):  # fmt: skip
        np.multiply(one, other, work)
        out[:, k] *= work
    c *= gates[:, f]


def gru_step_back(
    g: Array, gates: Array, before: Array, candidate: Array, inner: Array, outer: Array,
    work: Array,
) -> None:  # fmt: skip
    """The gradients of the gates into `inner` and `outer`; what goes straight back stays in `g`."""
    w = g.shape[1]
    r, z, n = (gates[:, k * w : (k + 1) * w] for k in range(3))
    both, last = inner[:, : 2 * w], inner[:, 2 * w :]
    _slope_of_tanh(n, last)
    np.subtract(1, z, work)
    work *= g
    last *= work
    np.subtract(1, gates[:, : 2 * w], both)
    both *= gates[:, : 2 * w]
    np.multiply(last, candidate, work)
    both[:, :w] *= work
    np.subtract(before, n, work)
    work *= g
    both[:, w:] *= work
    outer[:, : 2 * w] = both
    np.multiply(last, r, outer[:, 2 * w :])
    g *= z


def _slope_of_tanh(y: Array, out: Array) -> None:
    np.multiply(y, y, out)
    np.subtract(1, out, out)


def _sigmoid(x: Array) -> None:
    np.subtract(0, x, x)  # NumPy 2.4's negative fails in place, where x has gaps
    np.exp(x, x)
    x += 1
    np.reciprocal(x, x)
