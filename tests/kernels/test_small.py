"""The loops of small operations give what NumPy gives, in every layout, of every kind of number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.twins import TWINS, computed_by, matrices, ulps
from tinygrad_mnist.kernels import elementwise, rows

OF_ONE = {
    "clamp": lambda x: elementwise.clamp(x, -0.5, 1.0),
    "clamp from below": lambda x: elementwise.clamp(x, 0.0, None),
    "clamp by NaN": lambda x: elementwise.clamp(x, np.nan, 1.0),
    "clamp, bounds exchanged": lambda x: elementwise.clamp(x, 1.0, -1.0),
    "choose": lambda x: elementwise.choose(x > 0, x, x[::-1].copy()),
    "choose or a number": lambda x: elementwise.choose(x > 0, x, 0.25),
    "choose a number": lambda x: elementwise.choose(x > 0, -0.0, x),
    "sign": elementwise.sign,
    "log_add_exp": lambda x: elementwise.log_add_exp(x, np.ascontiguousarray(x[::-1])),
    "softplus": lambda x: elementwise.softplus(x, 1.5, 20.0),
    "elu": lambda x: elementwise.elu(x, 1.5, 1.0, 0.5),
    "rounded_off": lambda x: elementwise.rounded_off(x, 0.75),
    "leaky_relu_backward": lambda x: elementwise.leaky_relu_backward(x[::-1].copy(), x, 0.1),
    "elu_backward": lambda x: elementwise.elu_backward(x[::-1].copy(), x, 1.5, 1.1, 0.5),
    "silu_backward": lambda x: elementwise.silu_backward(x[::-1].copy(), x),
    "sigmoid_backward": lambda x: elementwise.sigmoid_backward(x[::-1].copy(), x),
    "tanh_backward": lambda x: elementwise.tanh_backward(x[::-1].copy(), x),
    "hypot": lambda x: elementwise.hypot(x, np.ascontiguousarray(x[::-1])),
}


@pytest.fixture(autouse=True, scope="module")
def loops_for_few_numbers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elementwise, "FEW", 0)
        yield


@pytest.mark.parametrize("name", OF_ONE)
@given(x=matrices())
def test_twins_of_one_pass(name, x):
    found = []
    for twin in TWINS:
        with computed_by(twin):
            found.append(np.asarray(OF_ONE[name](x)))
    # In double precision a sum of logarithms near 0 has lost as many digits in either twin.
    if x.dtype == np.float64 and name in ("log_add_exp", "softplus", "elu"):
        np.testing.assert_allclose(*found, rtol=1e-14, atol=1e-14)
    else:
        assert ulps(*found) <= (1 if name == "hypot" else 0)
        same = np.signbit(found[0]) == np.signbit(found[1])
        assert (same | np.isnan(found[0])).all()


@given(start=st.floats(-1e9, 1e9, width=32), end=st.floats(width=32), count=st.integers(2, 99))
def test_twins_of_evenly_spaced_numbers(start, end, count):
    found = []
    for twin in TWINS:
        with computed_by(twin), np.errstate(all="ignore"):
            found.append(elementwise.spaced(np.float32(start), np.float32(end), count))
    np.testing.assert_array_equal(*found)


@given(x=matrices(), count=st.integers(1, 4), descending=st.booleans())
def test_the_first_few_are_those_of_a_stable_sort(x, count, descending):
    with computed_by("numba"):
        found = rows.first_few(x, count, descending)
    if found is None:
        assert count > x.shape[-1] or not x.flags.c_contiguous
        return
    turned = x[:, ::-1] if descending else x
    order = turned.argsort(1, kind="stable")
    order = x.shape[1] - 1 - order[:, ::-1] if descending else order
    np.testing.assert_array_equal(found, order[:, :count])


@given(x=matrices(special=False), seed=st.integers(0, 99), reverse=st.booleans())
def test_rows_are_summed_read_and_added_to(x, seed, reverse):
    index = np.random.default_rng(seed).integers(0, x.shape[1], (len(x), 5))
    with computed_by("numba"):
        total, taken = rows.running_sum(x, reverse), rows.gather(x, index)
        out = np.zeros_like(x, order="C")
        added = taken is not None and rows.scatter_add(out, index, taken)
    turned = x[:, ::-1] if reverse else x
    wide = turned.cumsum(1, np.float64)
    if total is not None:
        np.testing.assert_array_equal(total, (wide[:, ::-1] if reverse else wide).astype(x.dtype))
    if taken is not None:
        np.testing.assert_array_equal(taken, np.take_along_axis(x, index, 1))
    if added:
        expected = np.zeros_like(x, order="C")
        np.add.at(expected, (np.arange(len(x))[:, None], index), taken)
        np.testing.assert_array_equal(out, expected)


@given(x=matrices(special=False), seed=st.integers(0, 99))
def test_slices_are_added_as_often_as_they_are_named(x, seed):
    values = np.repeat(np.ascontiguousarray(x)[None], 2, 0)
    index = np.random.default_rng(seed).integers(-4, 4, len(x))
    out = np.zeros((2, 4, x.shape[1]), x.dtype)
    expected = out.copy()
    np.add.at(expected, (slice(None), index), values)
    with computed_by("numba"):
        assert rows.add_slices(out, index, values)
    np.testing.assert_array_equal(out, expected)
