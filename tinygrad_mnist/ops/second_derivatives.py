"""Gradients that do not change with an input, yet count as computed from it.

PyTorch's formulas for relu, pooling and the like read the input, so the gradient that they give
requires a gradient itself, which is zero. What is written here without the input would give a
gradient that requires none, and code that asks for second derivatives would be told so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import TensorBase, wrap


@primitive(view=True, grad_fn="AliasBackward0")
def _constant_in(grad: Array, input: Array) -> Any:
    """g: as a function of x that does not change with it"""
    return grad


def _nothing(g: Any, shape: tuple[int, ...]) -> Any:
    zeros = note_constant(np.zeros(shape))
    return wrap(zeros) if isinstance(g, TensorBase) else zeros


_constant_in.derivatives(grad=lambda g: g, input=lambda g, shape: _nothing(g, shape))


def constant_in(grad: Any, input: Any) -> Any:
    """`grad`, and where gradients are recorded, one that was computed from `input` too."""
    if grad.__class__ is np.ndarray or not state.grad_enabled:
        return grad
    return _constant_in(grad, input)


@primitive(view=True, grad_fn="AliasBackward0")
def through(input: Array) -> Any:
    """x: its gradient counts as computed from x"""
    return input


through.derivatives(input=lambda g, input: constant_in(g, input))


@primitive(grad_fn="AddBackward0")
def add_bias(input: Array, bias: Array, source: Array, weight: Array) -> Any:
    """x + b: where x was made of a source and a weight"""
    return input + bias


add_bias.derivatives(
    input=lambda g: g,
    bias=lambda g, source, weight: constant_in(constant_in(g, source), weight),
)
