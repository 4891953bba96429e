"""Splitting, turning, repeating, diagonals and triangles, held against PyTorch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, Sample, check

SMALL = ("float32", "float64", "int64", "bool")
OTHERS = ("float32", "float64", "int64")


@st.composite
def cut(draw, pieces):
    """A tensor, how to cut it (drawn from `pieces`, or sizes), and the dimension."""
    x = draw(s.arrays(s.shapes(min_dims=1), SMALL))
    dim = draw(st.integers(-x.ndim, x.ndim - 1))
    way = draw(pieces)
    if way == "sizes":
        first = draw(st.integers(0, x.shape[dim]))
        way = [first, x.shape[dim] - first + (draw(st.integers(0, 7)) == 0)]
    return Sample([x, way, dim], {}, draw(s.seeds))


@st.composite
def turned(draw, name):
    """A tensor, and numbers for some of its dimensions."""
    x = draw(s.arrays(kinds=SMALL))
    axes = draw(st.permutations(range(x.ndim)))[: draw(st.integers(0, x.ndim))]
    options = {"dims": tuple(axes)}
    if name == "roll":
        options["shifts"] = tuple(draw(st.integers(-4, 4)) for _ in axes)
        if draw(st.integers(0, 3)) == 0 or not axes:
            options = {"shifts": draw(st.integers(-4, 4))}
    return Sample([x], options, draw(s.seeds))


@st.composite
def repeated(draw):
    x = draw(s.arrays(kinds=SMALL))
    counts = tuple(draw(st.integers(0, 2)) for _ in range(draw(st.integers(1, 4))))
    return Sample([x], {"counts": counts}, draw(s.seeds))


@st.composite
def interleaved(draw):
    x = draw(s.arrays(s.shapes(min_dims=1, min_side=1), SMALL))
    dim = draw(st.sampled_from((None, 0, -1)))
    return Sample([x, draw(st.integers(0, 3))], {"dim": dim}, draw(s.seeds))


@st.composite
def matrices(draw, kinds=OTHERS, batch=1):
    x = draw(s.arrays(s.shapes(min_dims=2, max_dims=2 + batch), kinds))
    return Sample([x], {"diagonal": draw(st.integers(-3, 3))}, draw(s.seeds))


@st.composite
def diagonals(draw):
    x = draw(s.arrays(s.shapes(min_dims=2, max_dims=3), SMALL))
    axes = draw(st.permutations(range(x.ndim)))[:2]
    return Sample([x, draw(st.integers(-3, 3)), *axes], {}, draw(s.seeds))


@st.composite
def stacked(draw):
    shape = draw(s.shapes())
    count = draw(st.integers(1, 3))
    return Sample([draw(s.arrays(shape, SMALL)) for _ in range(count)], {}, draw(s.seeds))


@st.composite
def coordinates(draw):
    kind = draw(st.sampled_from(OTHERS))
    count = draw(st.integers(1, 3))
    vectors = [draw(s.arrays(s.shapes(max_dims=1), (kind,))) for _ in range(count)]
    return Sample(vectors, {"indexing": draw(st.sampled_from(("ij", "xy")))}, draw(s.seeds))


def same_numbers(name, samples, call):
    return Operation(name, call, samples, grad_ulp=2, measure="absolute")


pieces = st.sampled_from((1, 2, 3, 0, "sizes", "sizes"))
TABLE = [
    same_numbers("split", cut(pieces), lambda t, x, way, dim: t.split(x, way, dim)),
    same_numbers("chunk", cut(st.integers(0, 4)), lambda t, x, way, dim: t.chunk(x, way, dim)),
    same_numbers("tensor_split", cut(st.integers(0, 4)),
                 lambda t, x, way, dim: t.tensor_split(x, way, dim)),
    same_numbers("tensor_split at", cut(st.sampled_from(([1], [0, 2], [2, 1], []))),
                 lambda t, x, way, dim: t.tensor_split(x, way, dim)),
    same_numbers("unbind", s.unary(s.shapes(min_dims=1), SMALL), lambda t, x: t.unbind(x, -1)),
    same_numbers("hstack", stacked(), lambda t, *tensors: t.hstack(tensors)),
    same_numbers("vstack", stacked(), lambda t, *tensors: t.vstack(tensors)),
    same_numbers("dstack", stacked(), lambda t, *tensors: t.dstack(tensors)),
    same_numbers("column_stack", stacked(), lambda t, *tensors: t.column_stack(tensors)),
    same_numbers("atleast_3d", s.unary(kinds=SMALL), lambda t, x: t.atleast_3d(x)),
    same_numbers("flip", turned("flip"), lambda t, x, dims: t.flip(x, dims)),
    same_numbers("roll", turned("roll"), lambda t, x, **o: t.roll(x, **o)),
    same_numbers("rot90", s.unary(s.shapes(min_dims=2), SMALL, k=st.integers(-1, 4)),
                 lambda t, x, **o: t.rot90(x, **o)),
    same_numbers("repeat", repeated(), lambda t, x, counts: x.repeat(*counts)),
    same_numbers("tile", repeated(), lambda t, x, counts: t.tile(x, counts)),
    Operation("repeat_interleave", lambda t, x, n, dim: t.repeat_interleave(x, n, dim),
              interleaved(), grad_ulp=2, measure="absolute", grad_fn=False),
    same_numbers("meshgrid", coordinates(), lambda t, *xs, **o: t.meshgrid(*xs, **o)),
    same_numbers("tril", matrices(SMALL), lambda t, x, **o: t.tril(x, **o)),
    same_numbers("triu", matrices(SMALL), lambda t, x, **o: t.triu(x, **o)),
    same_numbers("diag", matrices(SMALL, 0), lambda t, x, **o: t.diag(x, **o)),
    same_numbers("diag of a vector", s.unary(s.shapes(min_dims=1, max_dims=1), SMALL),
                 lambda t, x: t.diag(x, 1)),
    same_numbers("diagonal", diagonals(), lambda t, x, *where: t.diagonal(x, *where)),
    same_numbers("diag_embed", s.unary(s.shapes(min_dims=1, max_dims=2), SMALL),
                 lambda t, x: t.diag_embed(x, -1)),
    Operation("trace", lambda t, x: t.trace(x), s.unary(s.shapes(min_dims=2, max_dims=2), OTHERS),
              ulp=4, measure="absolute"),
]  # fmt: skip


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
