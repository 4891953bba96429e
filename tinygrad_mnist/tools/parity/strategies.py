"""Hypothesis strategies for what tensors are tried on: dtypes, shapes, layouts, views, indices.

Hypothesis chooses, and shrinks, dtypes, shapes, layouts and kinds of numbers; the numbers
themselves come from a seed, which is far faster than drawing each. Needs the extra `testing`.

    @given(x=strategies.tensors(requires_grad=True))
    def test_my_operation(x):
        assert_parity(mine.operation, torch_operation, x)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import tinygrad_mnist
from tinygrad_mnist.dtypes import dtype as Dtype

from .samples import LAYOUTS, Pick, filled, index_expression, laid_out

__all__ = [
    "View", "arrays", "broadcastable_shapes", "dims", "dtypes", "indices", "layouts", "picker",
    "seeds", "shapes", "tensors", "views",
]  # fmt: skip

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_FLOATING = (tinygrad_mnist.float32, tinygrad_mnist.float64)
_INTEGRAL = (tinygrad_mnist.int64, tinygrad_mnist.int32, tinygrad_mnist.uint8)


def _drawn(draw: st.DrawFn, value: Any) -> Any:
    """What a strategy gives, or the value itself."""
    return draw(value) if isinstance(value, st.SearchStrategy) else value


def seeds() -> st.SearchStrategy[int]:
    """Seeds for random numbers."""
    return st.integers(0, 2**16)


def dtypes(
    *, floating: bool = True, integral: bool = False, boolean: bool = False
) -> st.SearchStrategy[Dtype]:
    """The dtypes of the kinds asked for, as `tinygrad_mnist` has them."""
    chosen = (_FLOATING if floating else ()) + (_INTEGRAL if integral else ())
    return st.sampled_from(chosen + ((tinygrad_mnist.bool,) if boolean else ()))


def shapes(
    *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> st.SearchStrategy[Shape]:
    """Shapes as tuples; sizes of 0 are rare, for they leave nothing to compare."""
    side = st.integers(max(min_side, 1), max_side)
    if min_side == 0:
        side = st.one_of(side, side, side, st.integers(0, max_side))
    return st.lists(side, min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcastable_shapes(
    draw: st.DrawFn, count: int = 2, *, max_dims: int = 3, min_side: int = 0, max_side: int = 4
) -> tuple[Shape, ...]:
    """`count` shapes that broadcast together: some with sizes of 1, some with fewer dimensions."""
    full = draw(shapes(max_dims=max_dims, min_side=min_side, max_side=max_side))
    found = []
    for _ in range(count):
        kept = full[draw(st.integers(0, len(full))) :]
        found.append(tuple(n if draw(st.integers(0, 3)) else 1 for n in kept))
    return tuple(found)


def layouts() -> st.SearchStrategy[str]:
    """Names of ways to lie in memory, the plain one most often."""
    return st.one_of(st.just("contiguous"), st.sampled_from(LAYOUTS))


@st.composite
def arrays(
    draw: st.DrawFn,
    dtype: Any = None,
    shape: Any = None,
    *,
    numbers: Any = "ordinary",
    layout: Any = None,
) -> Array:
    """NumPy arrays, for `assert_parity`, which gives each engine tensors of the same layout.

    Each parameter is a value or a strategy; unless given, `dtype` is floating point, `shape` has
    up to 3 dimensions, `layout` is any of `LAYOUTS`. `numbers` is one of `NUMBERS`.
    """
    kind = _drawn(draw, dtypes() if dtype is None else dtype)
    size = _drawn(draw, shapes() if shape is None else shape)
    content = filled(size, getattr(kind, "numpy", kind), _drawn(draw, numbers), draw(seeds()))
    return laid_out(content, _drawn(draw, layouts() if layout is None else layout))


@st.composite
def tensors(
    draw: st.DrawFn,
    dtype: Any = None,
    shape: Any = None,
    *,
    numbers: Any = "ordinary",
    layout: Any = None,
    requires_grad: Any = False,
) -> Any:
    """Tensors; the parameters are those of `arrays`, and `requires_grad`, a bool or a strategy."""
    array = draw(arrays(dtype, shape, numbers=numbers, layout=layout))
    return tinygrad_mnist.from_numpy(array).requires_grad_(_drawn(draw, requires_grad))


def dims(ndim: int) -> st.SearchStrategy[int]:
    """A dimension of a tensor of `ndim` dimensions, counted from either end."""
    span = max(ndim, 1)
    return st.integers(-span, span - 1)


class View(NamedTuple):
    """Steps that lead from a tensor to a view of it, on either engine: call it on the tensor."""

    steps: tuple[tuple[str, tuple[Any, ...]], ...]

    def __call__(self, tensor: Any) -> Any:
        """The view of `tensor`."""
        for method, arguments in self.steps:
            tensor = getattr(tensor, method)(*arguments)
        return tensor

    def __repr__(self) -> str:
        calls = [f".{method}({', '.join(map(repr, given))})" for method, given in self.steps]
        return f"<view {''.join(calls) or 'of all'}>"


@st.composite
def views(draw: st.DrawFn, shape: Sequence[int], *, max_steps: int = 2) -> View:
    """Views of tensors of this shape: transposed, sliced, expanded, in another shape."""
    size = tuple(shape)
    steps = []
    for _ in range(draw(st.integers(0, max_steps))):
        step = draw(_view_steps(size))
        size = tuple(View((step,))(tinygrad_mnist.zeros(()).expand(size)).shape)
        steps.append(step)
    return View(tuple(steps))


@st.composite
def _view_steps(draw: st.DrawFn, shape: Shape) -> tuple[str, tuple[Any, ...]]:
    ndim = len(shape)
    ways = ["unsqueeze", "squeeze", "__getitem__"]
    ways += ["transpose", "permute"] if ndim else []
    ways += ["expand"] if 1 in shape or not ndim else []
    way = draw(st.sampled_from(ways))
    if way == "unsqueeze":
        return way, (draw(dims(ndim + 1)),)
    if way == "squeeze":
        return way, ()
    if way == "transpose":
        return way, (draw(dims(ndim)), draw(dims(ndim)))
    if way == "permute":
        return way, (tuple(draw(st.permutations(range(ndim)))),)
    if way == "expand":
        wide = draw(st.integers(1, 3))
        return way, (tuple(wide if n == 1 else n for n in shape) or (wide,),)
    return way, (draw(indices(shape, arrays=False)),)


@st.composite
def indices(draw: st.DrawFn, shape: Sequence[int], *, arrays: bool = True) -> Any:
    """Index expressions for a tensor of this shape.

    Integers, slices with positive steps, None, `...`, and with `arrays` lists, arrays of integers
    and masks.
    """
    return index_expression(picker(draw), shape, arrays=arrays)


def picker(draw: st.DrawFn) -> Pick:
    """The choice of an integer, left to Hypothesis."""
    return lambda low, high: draw(st.integers(low, high))
