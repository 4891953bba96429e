"""What fills or adds to an array that it is given leaves alone one that is read-only."""

import numpy as np
import pytest

from tests.kernels.twins import TWINS, computed_by
from tinygrad_mnist.kernels import random_numbers, rows
from tinygrad_mnist.kernels.random_numbers import Stream

INDEX = np.zeros((4, 32), np.int64)
WRITES = {
    "uniform": lambda out: random_numbers.uniform(Stream(0), out),
    "normal": lambda out: random_numbers.normal(Stream(0), out),
    "scatter_add": lambda out: rows.scatter_add(out, INDEX, np.ones((4, 32), out.dtype)),
    "add_slices": lambda out: rows.add_slices(
        out.reshape(4, 32, 1), np.arange(32), np.ones((4, 32, 1), out.dtype)
    ),
}

REFUSES = ("uniform", "normal")


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_array_stays_as_it_is(name, dtype, twin):
    out = np.ones((4, 32), dtype)
    out.flags.writeable = False
    with computed_by(twin):
        if name in REFUSES:
            with pytest.raises(ValueError, match="read-only"):
                WRITES[name](out)
        else:
            assert not WRITES[name](out)
    assert (out == 1).all()
