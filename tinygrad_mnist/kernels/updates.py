"""The parameter updates of stochastic gradient descent and of Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import dispatch

Array = np.ndarray[Any, Any]


def sgd_update(param: Array, grad: Array, lr: float) -> None:
    """param -= lr · grad, in place, bit for bit as PyTorch's `param.add_(grad, alpha=-lr)`.

    That rounds once, after the addition. NumPy's float64 twin rounds the product as well.

    >>> import numpy as np
    >>> param = np.array([1.0, 2.0])
    >>> sgd_update(param, np.array([10.0, 20.0]), lr=0.125)
    >>> param
    array([-0.25, -0.5 ])
    """
    alike = param.shape == grad.shape and param.dtype is grad.dtype and param.flags.writeable
    if alike and dispatch.base.ready(param.size, param.dtype):
        contiguous = param.flags.c_contiguous
        whole = param if contiguous else param.copy()
        _add_scaled_loop(whole.reshape(-1), np.ascontiguousarray(grad).reshape(-1), -lr)
        if not contiguous:
            param[...] = whole
        return
    with np.errstate(all="ignore"):
        alpha = np.float64(param.dtype.type(-lr))
        np.add(param, np.multiply(grad, alpha), out=param, casting="same_kind")


@dispatch.base.loop("void(T[::1], const T[::1], float64)", fastmath={"contract"})
def _add_scaled_loop(x: Array, y: Array, alpha: float) -> None:
    """x += alpha · y, alpha rounded to x's dtype first.

    `contract` lets LLVM fuse multiplication and addition, which then round once, as PyTorch's do.
    """
    scale = x.dtype.type(alpha)
    for i in range(x.size):
        x[i] += scale * y[i]


def adam_update(
    param: Array, grad: Array, average: Array, square: Array, betas: tuple[float, float],
    eps: float, rate: float, correction: float,
) -> bool:  # fmt: skip
    """A step of Adam in place, in one pass: of the parameter, and of its two averages.

    average ← β₁ · average + (1 − β₁) · grad, square ← β₂ · square + (1 − β₂) · grad², and
    param -= average / (√square / correction + eps) · rate. Each operation rounds, save that the
    additions to the averages round once. False, and nothing done, where no loop can do it.
    """
    if not dispatch.base.ready(param.size, param.dtype):
        return False
    for array in (param, average, square):
        flags, alike = array.flags, array.shape == grad.shape and array.dtype is grad.dtype
        if not (alike and flags.c_contiguous and flags.writeable):
            return False
    p, m, v, g = (a.reshape(-1) for a in (param, average, square, np.ascontiguousarray(grad)))
    try:
        _adam_loop(p, m, v, g, *betas, eps, rate, correction)
    except TypeError:  # a setting that is no number
        return False
    return True


@dispatch.base.part(fastmath={"contract"})
def _plus_scaled(x: Any, scale: Any, y: Any) -> Any:
    return x + scale * y


@dispatch.base.loop(
    "void(T[::1], T[::1], T[::1], const T[::1], float64, float64, float64, float64, float64)"
)
def _adam_loop(
    param: Array, average: Array, square: Array, grad: Array, beta1: float, beta2: float,
    eps: float, rate: float, correction: float,
) -> None:  # fmt: skip
    of = param.dtype.type
    keep1, take1, keep2, take2 = of(beta1), of(1 - beta1), of(beta2), of(1 - beta2)
    small, step, divisor = of(eps), of(rate), of(correction)
    for i in range(param.size):
        g = grad[i]
        average[i] = mean = _plus_scaled(average[i] * keep1, take1, g)
        square[i] = power = _plus_scaled(square[i] * keep2, take2, g * g)
        root = np.sqrt(power) / divisor + small
        param[i] -= mean / root * step
