"""The parameter update of stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import switch

__all__ = ["sgd_update"]

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
    loops = switch.core.loops or switch.core.consider(param.size)
    if loops is None or param.shape != grad.shape:
        sgd_update_numpy(param, grad, lr)
        return
    contiguous = param.flags.c_contiguous
    whole = param if contiguous else param.copy()
    try:
        loops.add_scaled(whole.reshape(-1), np.ascontiguousarray(grad).reshape(-1), -lr)
    except TypeError:  # other dtypes, a parameter that is read-only
        sgd_update_numpy(param, grad, lr)
        return
    if not contiguous:
        param[...] = whole


def sgd_update_numpy(param: Array, grad: Array, lr: float) -> None:
    """The NumPy twin of `sgd_update`: it computes in double precision."""
    with np.errstate(all="ignore"):
        alpha = np.float64(param.dtype.type(-lr))
        np.add(param, np.multiply(grad, alpha), out=param, casting="same_kind")
