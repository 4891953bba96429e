"""Running sums and products, variances, norms and counts, held against PyTorch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check

FLOATING = ("float32", "float64")
FINITE = ("halves", "normal")


def plain(name):
    return lambda t, x, **options: getattr(t, name)(x, **options)


def along(**options):
    return s.reduced(many=False, none=False, keepdim=False, **options)


def moments(name, ulp=16):
    """Squares of differences from a mean, whose errors are of the size of the numbers' squares."""
    return [
        Operation(name, plain(name), s.reduced(FLOATING, FINITE, correction=st.integers(0, 2)),
                  ulp=ulp, grad_ulp=4 * ulp, measure="largest", second_order=spread,
                  differentiable=free),
        Operation(f"{name}, unbiased", plain(name),
                  s.reduced(FLOATING, FINITE, unbiased=st.booleans(), none=False),
                  ulp=ulp, grad_ulp=4 * ulp, measure="largest", second_order=spread,
                  differentiable=free),
    ]  # fmt: skip


def free(sample):
    """Whether there are more numbers than the correction takes off: else PyTorch divides by 0."""
    unbiased = int(sample.options.get("unbiased", True))
    return spread(sample) and count(sample) > sample.options.get("correction", unbiased)


def count(sample):
    array = sample.arguments[0]
    axes = sample.options.get("dim", tuple(range(array.ndim)))
    reach = axes if isinstance(axes, tuple) else (axes,)
    return np.prod([array.shape[d] for d in reach if -array.ndim <= d < array.ndim])


def spread(sample):
    """Whether the numbers differ: the second derivative of a root is infinite at 0."""
    array = sample.arguments[0]
    axes = sample.options.get("dim", tuple(range(array.ndim)))
    reach = axes if isinstance(axes, tuple) else (axes,)
    return array.size > 0 and array.ndim > 0 and np.all(np.ptp(array, axis=reach) > 0)


def not_zero(sample):
    return np.all(sample.arguments[0])


ORDERS = st.sampled_from([2, 1, 0, math.inf, -math.inf, 3, 0.5, -1, 2.5])


@st.composite
def matrices(draw):
    x = draw(s.arrays(s.shapes(min_dims=2, min_side=1), FLOATING, FINITE))
    order = draw(st.sampled_from(["fro", 1, -1, math.inf, -math.inf]))
    return Sample([x], {"ord": order, "keepdim": draw(st.booleans())}, draw(s.seeds))


@st.composite
def counted(draw):
    x = draw(s.arrays(s.shapes(max_dims=1, min_dims=1), ("int64", "uint8", "int32", "float32")))
    options = {"minlength": draw(st.integers(0, 6))}
    if draw(st.booleans()):
        options["weights"] = s.filled(x.shape, "float64", "halves", draw(s.seeds))
    return Sample([x], options, draw(s.seeds))


def bincount(t, x, weights=None, **options):
    return t.bincount(x, None if weights is None else t.from_numpy(weights), **options)


TABLE = [
    Operation("cumsum", plain("cumsum"), along(), ulp=4, measure="absolute"),
    Operation("cumprod", plain("cumprod"), along(numbers=FINITE), ulp=4, grad_ulp=16,
              measure="absolute"),
    Operation("prod", plain("prod"), s.reduced(many=False, numbers=FINITE), ulp=4, grad_ulp=16,
              measure="absolute"),
    Operation("cummax", plain("cummax"), along(shape=s.shapes(min_side=1)), grad_ulp=2,
              measure="absolute"),
    Operation("cummin", plain("cummin"), along(shape=s.shapes(min_side=1)), grad_ulp=2,
              measure="absolute"),
    Operation("diff", plain("diff"), along(n=st.integers(1, 3)), ulp=4, measure="largest",
              grad_fn=False),
    *moments("var"), *moments("std"), *moments("var_mean"), *moments("std_mean"),
    Operation("vector_norm", lambda t, x, **o: t.linalg.vector_norm(x, **o),
              s.reduced(FLOATING, FINITE, ord=ORDERS), ulp=16, grad_ulp=64, measure="largest",
              second_order=not_zero),
    Operation("norm", plain("norm"),
              s.reduced(FLOATING, FINITE, p=st.sampled_from([2, 1, math.inf])),
              ulp=16, grad_ulp=64, measure="largest", second_order=not_zero),
    Operation("linalg.norm", lambda t, x: t.linalg.norm(x), s.unary(kinds=FLOATING, numbers=FINITE),
              ulp=16, grad_ulp=64, measure="largest", second_order=not_zero),
    Operation("matrix_norm", lambda t, x, **o: t.linalg.matrix_norm(x, **o), matrices(), ulp=16,
              grad_ulp=64, measure="largest", second_order=not_zero),
    Operation("bincount", bincount, counted(), differentiable=False),
    Operation("count_nonzero", plain("count_nonzero"), s.reduced(keepdim=False)),
    Operation("nansum", plain("nansum"), s.reduced(), ulp=4, measure="absolute"),
    Operation("aminmax", plain("aminmax"), s.reduced(many=False), grad_ulp=2),
]  # fmt: skip


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
