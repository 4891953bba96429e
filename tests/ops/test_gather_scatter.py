"""Taking and putting numbers by tensors of indices, and sorting, held against PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check

SMALL = ("float32", "float64", "int64")
DISTINCT = ("normal",)


def index_array(draw, shape, size, wrong=True):
    """Places below `size`, now and then one beyond it."""
    beyond = wrong and draw(st.integers(0, 9)) == 0
    random = np.random.default_rng(draw(s.seeds))
    kind = draw(st.sampled_from(("int64", "int64", "int64", "int32")))
    return random.integers(0, max(size, 1) + beyond, shape).astype(kind)


@st.composite
def gathered(draw, with_source=False, wrong=True):
    """A tensor, a dimension, places along it, perhaps a source of their shape."""
    shape = draw(s.shapes(min_side=1))
    x = draw(s.arrays(shape, SMALL))
    dim = draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    sizes = [draw(st.integers(0, n)) for n in shape]
    if shape:
        sizes[dim] = draw(st.integers(0, 4))
    index = index_array(draw, tuple(sizes), shape[dim] if shape else 1, wrong)
    arguments = [x, dim, index]
    if with_source:
        arguments.append(draw(s.arrays(tuple(sizes), (x.dtype.name,))))
    return Sample(arguments, {}, draw(s.seeds))


@st.composite
def scattered(draw):
    """As `gathered`, with no place named twice: which source stays there is not defined."""
    x, dim, index, source = draw(gathered(True, wrong=False)).arguments
    if index.ndim:
        length = min(index.shape[dim], x.shape[dim])
        part = (slice(None),) * (dim % x.ndim) + (slice(length),)
        index, source = np.argsort(index[part], axis=dim), source[part]
    return Sample([x, dim, index, source], {}, draw(s.seeds))


@st.composite
def sliced(draw, with_source=False, distinct=False, wrong=True):
    """A tensor, a dimension, a vector of numbers of slices, perhaps slices to put there."""
    shape = draw(s.shapes(min_side=1))
    x = draw(s.arrays(shape, SMALL))
    span = max(len(shape), 1)
    dim = draw(st.integers(-span, span - 1))
    size = shape[dim] if shape else 1
    index = index_array(draw, (draw(st.integers(1, 3)) if shape else 1,), size, wrong)
    if distinct:
        index = np.unique(index)
    arguments = [x, dim, index]
    if with_source:
        slices = list(shape)
        if shape:
            slices[dim] = len(index)
        arguments.append(draw(s.arrays(tuple(slices), (x.dtype.name,))))
    return Sample(arguments, {}, draw(s.seeds))


@st.composite
def masked(draw, source=False):
    """A tensor and a mask that broadcast, perhaps a source."""
    first, second = draw(s.broadcast_shapes(2))
    x, mask = (
        draw(s.arrays(first, SMALL)),
        draw(s.arrays(second, ("bool", "bool", "bool", "int64"))),
    )
    arguments = [x, mask]
    if source:
        arguments.append(draw(s.arrays((draw(st.integers(0, 30)),), (x.dtype.name,))))
    return Sample(arguments, {}, draw(s.seeds))


def sums(name, call, samples):
    """Adds up what falls on one place, in PyTorch's order or another."""
    return Operation(name, call, samples, ulp=4, grad_ulp=4, measure="absolute")


TAKING = [
    sums("gather", lambda t, x, dim, index: t.gather(x, dim, index), gathered()),
    sums(
        "take_along_dim",
        lambda t, x, dim, index: t.take_along_dim(x, index, dim),
        gathered(wrong=False),
    ),
    sums(
        "index_select", lambda t, x, dim, index: t.index_select(x, dim, index), sliced(wrong=False)
    ),
    sums("take", lambda t, x, dim, index: t.take(x, index), gathered()),
    sums("masked_select", lambda t, x, mask: t.masked_select(x, mask), masked()),
    Operation("nonzero", lambda t, x: t.nonzero(x), s.unary()),
    Operation("nonzero as tuple", lambda t, x: x.nonzero(as_tuple=True), s.unary()),
]

PUTTING = [
    sums("scatter_add", lambda t, x, dim, index, y: t.scatter_add(x, dim, index, y),
         gathered(True)),
    sums("scatter of a number", lambda t, x, dim, index: x.scatter(dim, index, 2), gathered()),
    sums("index_add", lambda t, x, dim, index, y: t.index_add(x, dim, index, y, alpha=2),
         sliced(True)),
    sums("index_copy", lambda t, x, dim, index, y: t.index_copy(x, dim, index, y),
         sliced(True, distinct=True)),
    sums("index_fill", lambda t, x, dim, index: t.index_fill(x, dim, index, 3), sliced()),
    sums("masked_fill", lambda t, x, mask: t.masked_fill(x, mask, 2), masked()),
    sums("masked_scatter", lambda t, x, mask, y: t.masked_scatter(x, mask, y), masked(True)),
    sums("scatter", lambda t, x, dim, index, y: t.scatter(x, dim, index, y), scattered()),
]  # fmt: skip

SORTING = [
    Operation("sort", lambda t, x, **o: t.sort(x, stable=True, **o),
              s.reduced(many=False, none=False, keepdim=False, descending=st.booleans())),
    Operation("argsort", lambda t, x, **o: t.argsort(x, stable=True, **o),
              s.reduced(many=False, none=False, keepdim=False, descending=st.booleans())),
    Operation("msort", lambda t, x: t.msort(x), s.unary(s.shapes(min_dims=1), numbers=DISTINCT)),
    Operation("topk", lambda t, x, **o: t.topk(x, **o),
              s.reduced(many=False, none=False, keepdim=False, numbers=DISTINCT, kinds=s.FLOATS,
                        k=st.integers(-1, 4), largest=st.booleans())),
    Operation("kthvalue", lambda t, x, **o: t.kthvalue(x, **o),
              s.reduced(many=False, none=False, numbers=DISTINCT, kinds=s.FLOATS,
                        k=st.integers(0, 4), layouts=s.OWN_MEMORY)),
    Operation("median", lambda t, x, **o: t.median(x, **o),
              s.reduced(many=False, numbers=DISTINCT, kinds=s.FLOATS, layouts=s.OWN_MEMORY)),
    Operation("median of all", lambda t, x: t.median(x), s.unary(kinds=SMALL), grad_ulp=2),
    Operation("unique", lambda t, x, **o: t.unique(x, **o),
              s.unary(return_inverse=st.booleans(), return_counts=st.booleans(),
                      numbers=("halves",)), differentiable=False),
    Operation("unique slices", lambda t, x: t.unique(x, dim=0, return_inverse=True),
              s.unary(s.shapes(min_dims=1, min_side=1, max_side=2), numbers=("halves",)),
              differentiable=False),
    Operation("unique_consecutive", lambda t, x, **o: t.unique_consecutive(x, **o),
              s.unary(return_inverse=st.booleans(), return_counts=st.booleans()),
              differentiable=False),
    Operation("unique of what requires a gradient", lambda t, x: t.unique(x), s.unary(kinds=SMALL)),
]  # fmt: skip


@pytest.mark.parametrize("operation", [*TAKING, *PUTTING, *SORTING], ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
