"""What a compiled function calls is a part of its code, and works elsewhere all the same."""

import numba
import numpy as np
import pytest

from tinygrad_mnist.kernels import compiling, native_code


@numba.njit
def third(x):
    if x.size == 3:
        raise ValueError("three")
    return x[2]


@numba.njit
def twice(x):
    return np.zeros(4)[0] + 2 * third(x)


def four_times(x):
    return 2 * twice(x)


@pytest.fixture(scope="module")
def whole():
    return compiling.code_for(numba.njit(four_times), (np.arange(4.0),), None)


def test_it_computes_and_raises(whole):
    assert whole.entry(np.arange(4.0)) == 8
    with pytest.raises(ValueError, match="three"):
        whole.entry(np.arange(3.0))


def test_there_is_code_for_it_alone(whole):
    made = whole.owner.overloads[whole.owner.signatures[0]]
    defined = [each.name for each in made.library.get_defined_functions()]
    assert all("twice" not in name and "third" not in name for name in defined)
    (part,) = twice.overloads.values()
    assert not part.library._finalized


def test_parts_are_called_from_python_and_by_others(whole):
    assert twice(np.arange(4.0)) == 4
    with pytest.raises(ValueError, match="three"):
        twice(np.arange(3.0))
    assert numba.njit(lambda x: third(x) + twice(x))(np.arange(4.0)) == 6


def test_it_is_kept(tmp_path):
    file = tmp_path / "code"
    compiling.code_for(numba.njit(four_times), (np.arange(4.0),), file)
    found = native_code.load(file)
    assert found is not None
    assert found.entry(np.arange(4.0)) == 8
    with pytest.raises(ValueError, match="three"):
        found.entry(np.arange(3.0))
