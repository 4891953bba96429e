"""Matrix products."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["matmul"]


def matmul(a: NDArray, b: NDArray) -> NDArray:
    """(n, k) @ (k, m) -> (n, m); both operands of one dtype."""
    return matmul_numpy(a, b)


def matmul_numpy(a: NDArray, b: NDArray) -> NDArray:
    """The NumPy twin of `matmul`."""
    with np.errstate(all="ignore"):
        return np.matmul(a, b)
