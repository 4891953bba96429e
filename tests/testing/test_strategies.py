"""The Hypothesis strategies: what they promise, and that they reach what breaks things."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import tinygrad_mnist
from tinygrad_mnist.testing import assert_parity
from tinygrad_mnist.tools.parity import strategies
from tinygrad_mnist.tools.parity.samples import LAYOUTS, NUMBERS, filled, laid_out

SEARCH = settings(max_examples=2000, database=None, derandomize=True)


def reached(strategy, condition):
    return find(strategy, condition, settings=SEARCH)


@given(strategies.broadcastable_shapes(3))
def test_shapes_broadcast_together(shapes):
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@pytest.mark.parametrize(
    "condition",
    [
        lambda shapes: shapes[0] == (),
        lambda shapes: 0 in shapes[0],
        lambda shapes: len(shapes[0]) > len(shapes[1]) > 0,
        lambda shapes: shapes[0] != shapes[1] and len(shapes[0]) == len(shapes[1]),
    ],
    ids=["0-d", "empty", "fewer dimensions", "sizes of 1"],
)
def test_shapes_reach_what_breaks_things(condition):
    assert condition(reached(strategies.broadcastable_shapes(2), condition))


@given(st.data())
def test_dtypes_are_of_the_kinds_asked_for(data):
    kind = data.draw(strategies.dtypes())
    assert kind.is_floating_point
    kind = data.draw(strategies.dtypes(floating=False, integral=True, boolean=True))
    assert not kind.is_floating_point


@given(x=strategies.tensors(strategies.dtypes(), requires_grad=True))
def test_tensors_require_gradients_on_request(x):
    assert isinstance(x, tinygrad_mnist.Tensor)
    assert x.requires_grad
    assert x.is_leaf


@pytest.mark.parametrize("layout", LAYOUTS)
@given(shape=strategies.shapes(min_dims=1), seed=strategies.seeds())
def test_layouts_keep_shape_and_numbers(layout, shape, seed):
    plain = filled(shape, "float64", "ordinary", seed)
    made = laid_out(plain, layout)
    assert made.shape == plain.shape
    if layout != "expanded":
        assert np.array_equal(made, plain)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "contiguous"])
def test_layouts_differ_from_the_plain_one(layout):
    plain = filled((3, 4), "float32", "ordinary", 0)
    made = laid_out(plain, layout)
    apart = made.strides != plain.strides or made.base is not None
    assert apart
    assert (
        reached(strategies.arrays(), lambda a: a.strides != plain.strides and a.ndim == 2)
        is not None
    )


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_numbers_are_fixed_by_their_seed(numbers, dtype):
    first, second = (filled((50,), dtype, numbers, seed=4) for _ in range(2))
    assert first.dtype == np.dtype(dtype)
    assert np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    assert not np.array_equal(first, filled((50,), dtype, numbers, seed=5))


def test_special_numbers_are_among_the_special():
    numbers = filled((1000,), "float32", "special", 0)
    assert np.isnan(numbers).any()
    assert np.isposinf(numbers).any()
    assert np.isneginf(numbers).any()
    assert (np.signbit(numbers) & (numbers == 0)).any()


@given(st.data())
def test_indices_fit_their_shape(data):
    array = data.draw(strategies.arrays())
    index = data.draw(strategies.indices(array.shape))
    comparison = assert_parity(lambda x, i: x[i], lambda x, i: x[i], array, index)
    assert comparison.raised is None


@pytest.mark.parametrize(
    "kind", [int, slice, type(None), type(Ellipsis), list, np.ndarray], ids=lambda k: k.__name__
)
def test_indices_are_of_every_kind(kind):
    strategy = strategies.indices((3, 2, 4))
    found = reached(
        strategy, lambda i: isinstance(i, tuple) and any(isinstance(part, kind) for part in i)
    )
    assert found is not None


@given(st.data())
def test_views_share_memory(data):
    x = data.draw(strategies.tensors(shape=strategies.shapes(min_side=1)))
    view = data.draw(strategies.views(x.shape))
    seen = view(x)
    assert not seen.numel() or np.shares_memory(seen.numpy(), x.numpy())
    assert repr(view).startswith("<view ")


@given(st.data())
def test_views_are_those_of_pytorch(data):
    array = data.draw(strategies.arrays())
    view = data.draw(strategies.views(array.shape))
    assert assert_parity(view, view, array).raised is None


@given(st.integers(0, 4).flatmap(lambda ndim: st.tuples(st.just(ndim), strategies.dims(ndim))))
def test_dims_count_from_either_end(given_dim):
    ndim, dim = given_dim
    assert -max(ndim, 1) <= dim < max(ndim, 1)
