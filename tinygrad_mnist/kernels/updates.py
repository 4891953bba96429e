"""The parameter update of stochastic gradient descent."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["sgd_update"]


def sgd_update(param: NDArray, grad: NDArray, lr: float) -> None:
    """param -= lr * grad, in place, as PyTorch's `param.add_(grad, alpha=-lr)`."""
    sgd_update_numpy(param, grad, lr)


def sgd_update_numpy(param: NDArray, grad: NDArray, lr: float) -> None:
    """The NumPy twin of `sgd_update`."""
    with np.errstate(all="ignore"):
        param -= param.dtype.type(lr) * grad
