"""Operations that change shapes or join tensors, held against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests.ops import samples as s
from tests.ops.harness import Operation, check

SMALL = ("float32", "float64", "int64", "bool")


@st.composite
def reshaped(draw):
    """A tensor and a shape that fits it, or nearly."""
    array = draw(s.arrays(kinds=SMALL))
    numel = array.size
    sizes = [n for n in (1, 2, 3, 4, 6, 9) if numel and numel % n == 0]
    first = draw(st.sampled_from(sizes or [0]))
    shapes = [
        (numel,),
        (-1,),
        (first, -1),
        (1, numel),
        (first, 1, -1),
        (numel + 1,),
        (-1, -1),
        (-2,),
    ]
    shape = draw(st.sampled_from(shapes + ([()] if numel == 1 else [])))
    return s.Sample([array], {"shape": shape}, draw(s.seeds))


@st.composite
def ordered(draw):
    """A tensor and an order of its dimensions, right or wrong."""
    array = draw(s.arrays(kinds=SMALL))
    order = draw(st.permutations(range(array.ndim)))
    order = [d - array.ndim if draw(st.booleans()) else d for d in order]
    if draw(st.integers(0, 7)) == 0:
        order = draw(st.sampled_from([order[1:], [*order, 0], [0] * array.ndim]))
    return s.Sample([array], {"dims": tuple(order)}, draw(s.seeds))


@st.composite
def with_dims(draw, count, extra=0, kinds=SMALL):
    """A tensor and `count` dimensions of it, now and then out of range."""
    array = draw(s.arrays(kinds=kinds))
    span = max(array.ndim + extra, 1)
    reach = span + (draw(st.integers(0, 7)) == 0)
    dims = [draw(st.integers(-reach, reach - 1)) for _ in range(count)]
    return s.Sample([array, *dims], {}, draw(s.seeds))


@st.composite
def squeezed(draw):
    array = draw(s.arrays(draw(s.shapes(max_dims=4, max_side=2)), SMALL))
    dim = draw(s.dims(array.ndim))
    return s.Sample([array, *([] if dim is None else [dim])], {}, draw(s.seeds))


@st.composite
def expanded(draw):
    """A tensor and sizes to expand it to, now and then such as do not fit."""
    array = draw(s.arrays(kinds=SMALL))
    sizes = [draw(st.sampled_from([-1, n])) if n != 1 else draw(st.integers(0, 3))
             for n in array.shape]  # fmt: skip
    sizes = [draw(st.integers(1, 2)) for _ in range(draw(st.integers(0, 2)))] + sizes
    if draw(st.integers(0, 7)) == 0:
        sizes = draw(st.sampled_from([[*sizes, 5], [-1, *sizes], sizes[1:]]))
    return s.Sample([array], {"sizes": tuple(sizes)}, draw(s.seeds))


@st.composite
def joined(draw, new_dimension=False):
    """Tensors that fit beside each other along a dimension, or nearly, perhaps of several types."""
    shape = draw(s.shapes(min_dims=0 if new_dimension else 1))
    span = max(len(shape) + new_dimension, 1)
    dim = draw(st.integers(-span, span - 1))
    arrays = []
    for _ in range(draw(st.integers(1, 3))):
        sizes = list(shape)
        if not new_dimension:
            sizes[dim % span] = draw(st.integers(0, 3))
        arrays.append(draw(s.arrays(tuple(sizes), SMALL)))
    if draw(st.integers(0, 7)) == 0:
        arrays.append(draw(s.arrays(draw(s.shapes()), SMALL)))
    if draw(st.integers(0, 7)) == 0:
        arrays.insert(0, np.zeros(0, np.float32))
    return s.Sample(arrays, {"dim": dim}, draw(s.seeds))


def same_numbers(name, samples, call):
    return Operation(name, call, samples, grad_ulp=0)


TABLE = [
    same_numbers("reshape", reshaped(), lambda t, x, shape: t.reshape(x, shape)),
    same_numbers("Tensor.reshape", reshaped(), lambda t, x, shape: x.reshape(*shape)),
    same_numbers("view", reshaped(), lambda t, x, shape: x.view(shape)),
    same_numbers("view_as", s.unary(kinds=SMALL), lambda t, x: x.view_as(x.detach().flatten())),
    same_numbers("flatten", with_dims(2), lambda t, x, a, b: t.flatten(x, a, b)),
    same_numbers("unflatten", s.unary(s.shapes(min_dims=1), SMALL),
                 lambda t, x: t.unflatten(x, 0, (1, -1))),
    same_numbers("permute", ordered(), lambda t, x, dims: t.permute(x, dims)),
    same_numbers("Tensor.permute", ordered(), lambda t, x, dims: x.permute(*dims)),
    same_numbers("transpose", with_dims(2), lambda t, x, a, b: t.transpose(x, a, b)),
    same_numbers("movedim", with_dims(2), lambda t, x, a, b: t.movedim(x, a, b)),
    same_numbers("t", s.unary(kinds=SMALL), lambda t, x: t.t(x)),
    same_numbers("T", s.unary(s.shapes(min_dims=2, max_dims=2), SMALL), lambda t, x: x.T),
    same_numbers("mT", s.unary(s.shapes(min_dims=1), SMALL), lambda t, x: x.mT),
    same_numbers("squeeze", squeezed(), lambda t, x, *dim: t.squeeze(x, *dim)),
    same_numbers("unsqueeze", with_dims(1, extra=1), lambda t, x, dim: t.unsqueeze(x, dim)),
    same_numbers("expand", expanded(), lambda t, x, sizes: x.expand(sizes)),
    same_numbers("broadcast_to", expanded(), lambda t, x, sizes: t.broadcast_to(x, sizes)),
    same_numbers("cat", joined(), lambda t, *tensors, dim: t.cat(tensors, dim)),
    same_numbers("cat of axis", joined(), lambda t, *tensors, dim: t.cat(tensors, axis=dim)),
    same_numbers("stack", joined(True), lambda t, *tensors, dim: t.stack(tensors, dim)),
]  # fmt: skip


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [((2, 3), (4, 5)), ((1, 1, 4), (3, 4)), ((2,), (-1, 2)), ((4, 1, 2), (5, 4, 3))],
)
def test_expand_refuses_what_does_not_fit_in_pytorch_s_words(shape, sizes):
    texts = []
    for engine in (tinygrad_mnist, torch):
        with pytest.raises(RuntimeError) as caught:
            engine.ones(shape).expand(sizes)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
