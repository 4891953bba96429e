"""The parameter update of stochastic gradient descent."""

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
    if dispatch.base.ready(param.size, param.dtype) and param.shape == grad.shape:
        contiguous = param.flags.c_contiguous
        whole = param if contiguous else param.copy()
        try:
            _add_scaled_loop(whole.reshape(-1), np.ascontiguousarray(grad).reshape(-1), -lr)
        except TypeError:  # another dtype of the gradient, a parameter that is read-only
            pass
        else:
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
