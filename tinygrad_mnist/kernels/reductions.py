"""Small reductions."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["sum_rows"]


def sum_rows(x: NDArray) -> NDArray:
    """(n, m) -> (m,): the sum over axis 0."""
    return sum_rows_numpy(x)


def sum_rows_numpy(x: NDArray) -> NDArray:
    """The NumPy twin of `sum_rows`."""
    with np.errstate(all="ignore"):
        return np.add.reduce(x, axis=0)
