"""Products of matrices and vectors, sums of products over named dimensions, norms and distances."""

from __future__ import annotations

import functools
import itertools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.autocast import as_given, in_float32, in_lower_precision
from tinygrad_mnist.engine.calls import call_binary, call_unary, call_view
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import Dims, DType

from .arguments import check_elements, not_implemented, operation, read_dim, read_dims
from .arithmetic import _add, mul
from .arranging import diagonal, flip, meshgrid, pad
from .casting import cast_to
from .conditional import where
from .decompositions import singular_values
from .gather_scatter import index_select
from .indexing import select
from .joining import cat, stack
from .matmul import bmm, dot, matmul, mm, mv
from .reductions import _euclidean_norm, _sum, amax, amin
from .shapes import _expand, _permute, _reshape, broadcast_tensors, permute, reshape, unsqueeze

Labels = list[str]
Operand = tuple[Tensor, Labels]
"""A tensor, and the name of each of its dimensions."""


@operation
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of each number of a vector with each of another: (n), (m) to (n, m).

    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    for name, vector in (("self", input), ("vec2", vec2)):
        if vector._array.ndim != 1:
            raise RuntimeError(
                f"outer: Expected 1-D argument {name}, but got {vector._array.ndim}-D"
            )
    shape = (input._array.size, 1)
    kind, array = _reshape.record_type, input._array.reshape(shape)
    column = call_view(_reshape, input, array, {"shape": shape}, kind)
    return call_binary(mul, column, vec2)


@operation
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last dimensions; with a number, the product."""
    if input._array.ndim == 0 or other._array.ndim == 0:
        return input * other
    if input._array.shape[-1] != other._array.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input._array.shape)} and {list(other._array.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


def _added(name: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    """beta · input + alpha · product; an input whose beta is 0 counts nothing, NaN or not."""
    if input._array.dtype != product._array.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {input.dtype.legacy_name} and "
            f"{product.dtype.legacy_name}"
        )
    if input._array.dtype.kind not in dtypes.FLOATS:
        to_type = bool if input._array.dtype.kind == "b" else int
        beta, alpha = to_type(beta), to_type(alpha)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        input = where(wrap(note_constant(np.ones(input._array.shape, bool))), beta, input)
    given = input if beta in (0, 1) else input * beta
    out = call_binary(_add, given, scaled)
    if out._array.shape != product._array.shape:
        raise RuntimeError(
            f"The expanded size of the tensor ({list(product._array.shape)}) must match the "
            f"existing size ({list(input._array.shape)})"
        )
    return named_as(out, f"{name}Backward0")


@in_lower_precision
@operation
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · (mat1 @ mat2) for matrices; `input` broadcasts.

    >>> torch.addmm(torch.ones(2), torch.eye(2), torch.eye(2), alpha=2)
    tensor([[3., 1.],
            [1., 3.]])
    """
    return _added("Addmm", input, mm(mat1, mat2), beta, alpha)


@as_given
@operation
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · (mat @ vec) for a matrix and a vector; `input` broadcasts."""
    return _added("Addmv", input, mv(mat, vec), beta, alpha)


@operation
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · `outer` of two vectors; `input` broadcasts."""
    return _added("Addr", input, outer(vec1, vec2), beta, alpha)


@in_lower_precision
@operation
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · (batch1 @ batch2) for batches of matrices; `input` broadcasts."""
    return _added("Baddbmm", input, bmm(batch1, batch2), beta, alpha)


@in_lower_precision
@operation
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · Σ (batch1 @ batch2), the products of the batch added up."""
    total = _sum(bmm(batch1, batch2), dim=(0,), keepdim=False)
    return _added("Addbmm", input, total, beta, alpha)


@as_given
@operation
def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Dims] = 2) -> Tensor:
    """The sums of products over the last `dims` dimensions of `a` and the first of `b`.

    `dims` may be two lists of dimensions instead, one for each tensor.

    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 4), 1).shape
    torch.Size([2, 4])
    """
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        first: Any = range(a._array.ndim - dims, a._array.ndim)
        second: Any = range(dims)
    else:
        first, second = (list(d) if isinstance(d, Sequence) else [d] for d in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    summed = [
        [read_dim(d, tensor._array.ndim) for d in axes]
        for tensor, axes in ((a, first), (b, second))
    ]
    for x, y in zip(*summed, strict=True):
        sizes = a._array.shape[x], b._array.shape[y]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise RuntimeError(
                "contracted dimensions need to match, but first has size "
                f"{sizes[0]} in dim {x} and second has size {sizes[1]} in dim {y}"
            )
    left = [f"a{d}" for d in range(a._array.ndim)]
    right = [f"b{d}" for d in range(b._array.ndim)]
    for x, y in zip(*summed, strict=True):
        right[y] = left[x]
    kept = [n for n in left if n not in right] + [n for n in right if n not in left]
    return _contract([(a, left), (b, right)], kept)


def einsum(*args: str | Tensor | Sequence[Tensor]) -> Tensor:
    """Sums of products, by Einstein's convention: an equation, then its operands.

    The equation names each dimension of each operand by a letter, "ij,jk->ik"; dimensions of one
    name are multiplied together, those that are not named on the right are summed. "…" stands
    for dimensions that broadcast. Without "->" the letters that occur once stay, in alphabetical
    order. Raises RuntimeError for an equation that does not fit.

    >>> torch.einsum("ij,jk->ik", torch.eye(2), torch.ones(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    if not isinstance(args[0], str):
        raise NotImplementedError(
            'einsum() takes an equation and its operands here: einsum("ij,jk->ik", x, y)'
        )
    equation = args[0].replace(" ", "")
    given: Any = args[1] if len(args) == 2 and isinstance(args[1], tuple | list) else args[1:]
    if not given:
        raise RuntimeError("einsum(): must provide at least one operand")
    check_elements(given, 1)
    labels, kept = _read_equation(equation, tuple([tensor._array.ndim for tensor in given]))
    return _contract([*map(_without_repeats, given, labels)], kept)


@functools.lru_cache(maxsize=256)
def _read_equation(equation: str, ndims: tuple[int, ...]) -> tuple[list[Labels], Labels]:
    """The name of each dimension of each operand, and of the result; PyTorch's errors."""
    inputs, arrow, right = equation.partition("->")
    parts = inputs.split(",")
    if len(parts) != len(ndims):
        raise RuntimeError(
            f"einsum(): {'more' if len(ndims) > len(parts) else 'fewer'} operands were provided "
            "than specified in the equation"
        )
    wide = max(ndim - len(p.replace("...", "")) if "..." in p else 0
               for p, ndim in zip(parts, ndims, strict=True))  # fmt: skip
    labels = [
        _read_labels(part, ndim, wide, number)
        for number, (part, ndim) in enumerate(zip(parts, ndims, strict=True))
    ]
    kept = _read_result(right, wide) if arrow else _implied(parts, wide)
    _check_result(kept, labels)
    return labels, kept


def _broadcast_labels(count: int, wide: int) -> Labels:
    """Names for the last `count` of the `wide` dimensions that an ellipsis stands for."""
    return [f"...{number}" for number in range(wide - count, wide)]


def _read_labels(part: str, ndim: int, wide: int, number: int) -> Labels:
    """The name of each dimension of an operand."""
    before, dots, after = part.partition("...")
    for letter in before + after:
        if letter not in string.ascii_letters:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {number} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
    count = len(before) + len(after)
    hidden = ndim - count
    if hidden < 0 or (hidden and not dots):
        wrong, end = (
            ("is more than", "") if dots else ("does not match", " and no ellipsis was given")
        )
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({count}) {wrong} the number of "
            f"dimensions ({ndim}) for operand {number}{end}"
        )
    return [*before, *_broadcast_labels(hidden, wide), *after]


def _read_result(right: str, wide: int) -> Labels:
    before, dots, after = right.partition("...")
    return [*before, *(_broadcast_labels(wide, wide) if dots else []), *after]


def _implied(parts: list[str], wide: int) -> Labels:
    """The result's dimensions where the equation does not say: letters that occur once."""
    letters = "".join(parts).replace("...", "")
    once = sorted({letter for letter in letters if letters.count(letter) == 1})
    return _broadcast_labels(wide, wide) + once


def _check_result(kept: Labels, operands: list[Labels]) -> None:
    for name in kept:
        if kept.count(name) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {name} appears more than once in the output"
            )
        if not any(name in labels for labels in operands):
            raise RuntimeError(
                f"einsum(): output subscript {name} does not appear in the equation for any input "
                "operand"
            )


def _without_repeats(tensor: Tensor, labels: Labels) -> Operand:
    """The operand with one dimension for each name: its diagonal where a name is repeated."""
    if len({*labels}) == len(labels):
        return tensor, labels
    for name in dict.fromkeys(labels):
        while labels.count(name) > 1:
            first = labels.index(name)
            second = labels.index(name, first + 1)
            sizes = tensor._array.shape[first], tensor._array.shape[second]
            if sizes[0] != sizes[1]:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated for operand but the sizes don't "
                    f"match, {sizes[1]} != {sizes[0]}"
                )
            tensor = diagonal(tensor, 0, first, second)
            labels = [n for d, n in enumerate(labels) if d not in (first, second)] + [name]
    return tensor, labels


def _contract(operands: list[Operand], kept: Labels) -> Tensor:
    """Multiply the operands, from left to right, and sum over the names that are not kept."""
    operands = _stretched(operands)
    tensor, labels = operands[0]
    for number, (other, names) in enumerate(operands[1:], 1):
        needed = {name for _, rest in operands[number + 1 :] for name in rest} | set(kept)
        if needed.issuperset([*labels, *names]):
            tensor, labels = _product(tensor, labels, other, names, kept)
        else:
            first = _summed(tensor, labels, needed | set(names))
            tensor, labels = _pair(*first, *_summed(other, names, needed | set(labels)), needed)
    if len(labels) > len(kept) and not tensor.dtype.is_floating_point:
        tensor = cast_to(tensor, dtypes.int64)
    tensor, labels = _summed(tensor, labels, set(kept))
    order = [labels.index(name) for name in kept]
    ordered = order == sorted(order)
    return tensor if ordered else call_unary(_permute, tensor, {"dims": tuple(order)})


def _stretched(operands: list[Operand]) -> list[Operand]:
    """The operands with equal sizes for equal names: sizes of 1 are stretched."""
    sizes: dict[str, int] = {}
    for number, (tensor, labels) in enumerate(operands):
        for name, size in zip(labels, tensor._array.shape, strict=True):
            known = sizes.setdefault(name, size)
            if known == 1:
                sizes[name] = size
            elif size not in (1, known):
                raise RuntimeError(
                    f"einsum(): subscript {name} has size {size} for operand {number} which does "
                    f"not broadcast with previously seen size {known}"
                )
    return [(_expanded(x, tuple([sizes[name] for name in labels])), labels)
            for x, labels in operands]  # fmt: skip


def _expanded(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x._array.shape == shape else call_unary(_expand, x, {"shape": shape})


def _summed(tensor: Tensor, labels: Labels, needed: set[str]) -> Operand:
    """The operand summed over the names that nothing needs."""
    gone = tuple([d for d, name in enumerate(labels) if name not in needed])
    if not gone:
        return tensor, labels
    return _sum(tensor, dim=gone, keepdim=False), [name for name in labels if name in needed]


def _product(x: Tensor, left: Labels, y: Tensor, right: Labels, kept: Labels) -> Operand:
    """The product of two operands that sums over nothing, in the order of `kept`."""
    names = list(dict.fromkeys([*(n for n in kept if n in left or n in right), *left, *right]))
    first, second = (
        _grouped(tensor, own, [[name] if name in own else [] for name in names])
        for tensor, own in ((x, left), (y, right))
    )
    return first * second, names


def _pair(x: Tensor, left: Labels, y: Tensor, right: Labels, needed: set[str]) -> Operand:
    """The product of two operands, summed over shared names that are not needed any more."""
    batch = [name for name in left if name in right and name in needed]
    summed = [name for name in left if name in right and name not in needed]
    only_x = [name for name in left if name not in right]
    only_y = [name for name in right if name not in left]
    first = _grouped(x, left, [batch, only_x, summed])
    second = _grouped(y, right, [batch, summed, only_y])
    sizes = dict(zip(left, x._array.shape, strict=True))
    sizes |= dict(zip(right, y._array.shape, strict=True))
    names = batch + only_x + only_y
    shape = {"shape": tuple([sizes[name] for name in names])}
    return call_unary(_reshape, matmul(first, second), shape), names


def _grouped(tensor: Tensor, labels: Labels, groups: list[Labels]) -> Tensor:
    """The tensor with one dimension for each group of names, of size 1 for no name."""
    sizes = dict(zip(labels, tensor._array.shape, strict=True))
    order = [labels.index(name) for group in groups for name in group]
    shape = tuple([math.prod([sizes[name] for name in group]) for group in groups])
    if order != sorted(order):
        tensor = call_unary(_permute, tensor, {"dims": tuple(order)})
    same = tensor._array.shape == shape
    return tensor if same else call_unary(_reshape, tensor, {"shape": shape})


ger = outer


# Products and arrangements of vectors


@operation
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of vectors along `dim`; the other sizes broadcast."""
    if x._array.ndim == y._array.ndim == 1:
        return vdot(x, y)
    product = x * y
    return _sum(product, dim=(read_dim(dim, product._array.ndim),), keepdim=False)


@operation
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors: for real numbers `dot`."""
    return named_as(dot(input, other), "VdotBackward0")


@operation
def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of vectors of three numbers along `dim`; the other sizes broadcast."""
    ndims = input._array.ndim, other._array.ndim
    if ndims[0] != ndims[1]:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = read_dim(dim, ndims[0])
    sizes = [x._array.shape[axis] if x._array.ndim else 1 for x in (input, other)]
    if sizes != [3, 3]:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes[0]} and "
            f"{sizes[1]}"
        )
    kind = dtypes.promote((input._array, other._array))
    if kind is dtypes.bool:
        raise not_implemented("cross", kind.numpy)
    pair = broadcast_tensors(cast_to(input, kind), cast_to(other, kind))
    x, y = ([select(each, axis, index) for index in range(3)] for each in pair)
    out = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return named_as(stack(out, axis), "LinalgCrossBackward0")


@operation
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross products of vectors of three numbers along `dim` (or the first of size 3).

    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]), dim=0)
    tensor([0, 0, 1])
    """
    if dim is None:
        if 3 not in input._array.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = input._array.shape.index(3)
    return linalg_cross(input, other, dim=dim)


@operation
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every number of x times the whole of y.

    >>> torch.kron(torch.tensor([1, 2]), torch.tensor([1, 10]))
    tensor([ 1, 10,  2, 20])
    """
    ndim = max(input._array.ndim, other._array.ndim)
    first, second = (
        (1,) * (ndim - each._array.ndim) + each._array.shape for each in (input, other)
    )
    x = reshape(input, [size for n in first for size in (n, 1)])
    y = reshape(other, [size for n in second for size in (1, n)])
    out = reshape(x * y, [n * m for n, m in zip(first, second, strict=True)])
    return named_as(out, "UnsafeViewBackward0")


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given matrices (vectors, numbers) down its diagonal.

    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    check_elements(tensors)
    for number, tensor in enumerate(tensors):
        if tensor._array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{number} has {tensor._array.ndim} dimensions"
            )
    if not tensors:
        return wrap(np.zeros((1, 0), dtypes.get_default_dtype().numpy))
    blocks = [reshape(t, (1,) * (2 - t._array.ndim) + t._array.shape) for t in tensors]
    width = sum(block._array.shape[1] for block in blocks)
    ends = itertools.accumulate(block._array.shape[1] for block in blocks)
    rows = [
        pad(block, (end - block._array.shape[1], width - end))
        for block, end in zip(blocks, ends, strict=True)
    ]
    return named_as(cat(rows), "BlockDiagBackward0")


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All ways to take one number from each vector, one in each row.

    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3]))
    tensor([[1, 3],
            [2, 3]])
    """
    check_elements(tensors)
    for tensor in tensors:
        _check_vector(tensor)
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors, indexing="ij")
    return stack([reshape(grid, -1) for grid in grids], 1)


def _check_vector(tensor: Tensor) -> None:
    if tensor._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(tensor._array.shape)}")


@operation
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` numbers from a vector, in order, one in each row.

    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    _check_vector(input)
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(np.empty((0,), input._array.dtype))
    kind = "combinations_with_replacement" if with_replacement else "combinations"
    chosen = list(getattr(itertools, kind)(range(input._array.size), r))
    rows = np.array(chosen, np.int64).reshape(-1, r)
    out = reshape(index_select(input, 0, wrap(rows.reshape(-1))), rows.shape)
    return named_as(out, "StackBackward0")


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, from left to right."""
    check_elements(matrices)
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    return functools.reduce(matmul, matrices)


@operation
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of each number of a vector, N − 1 to 0 (or 0 to N − 1), one row each.

    >>> torch.vander(torch.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    if x._array.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._array.size if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    powers = _powers(x, count)
    return powers if increasing else flip(powers, 1)


@operation
def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N − 1 of each number, along a new last dimension."""
    x = x if x._array.ndim else reshape(x, 1)
    count = x._array.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    return _powers(x, count)


def _powers(x: Tensor, count: int) -> Tensor:
    """The powers 0 to count − 1 of each number, along a new last dimension."""
    x = cast_to(x, x.dtype if x.dtype.is_floating_point else dtypes.int64)
    powers = [wrap(np.ones_like(x._array))]
    for _ in range(1, count):
        powers.append(powers[-1] * x)
    if not count:
        return wrap(np.zeros((*x._array.shape, 0), x._array.dtype))
    return named_as(stack(powers[:count], -1), "CatBackward0")


# Norms


def _checked(name: str, x: Tensor, dtype: DType) -> Tensor:
    """`x` in the type to compute in; PyTorch's errors for types that have no norm."""
    if x._array.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. "
            f"Got {x.dtype.legacy_name}"
        )
    if dtype is None:
        return x
    if not dtype.is_floating_point:
        raise RuntimeError(
            f"{name}: dtype should be floating point or complex, but got {dtype.legacy_name}"
        )
    return cast_to(x, dtype)


@operation
def vector_norm(
    x: Tensor, ord: float = 2, dim: Dims | None = None, keepdim: bool = False, *,
    dtype: DType = None,
) -> Tensor:  # fmt: skip
    """(Σ |x|^ord)^(1 / ord) over `dim` (all unless given).

    ord ∞ is the largest |x|, −∞ the smallest, 0 how many x are not 0. Raises RuntimeError for
    integers, and for ∞ where there is no number.

    >>> torch.linalg.vector_norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return _norm_of_vectors(x, ord, dim, keepdim, dtype)


def _norm_of_vectors(
    x: Tensor, ord: float, dim: Dims | None, keepdim: bool, dtype: DType
) -> Tensor:
    x = _checked("linalg.vector_norm", x, dtype)
    dims = read_dims(dim, x._array.ndim)
    order = float(ord)
    if (order < 0 or order == math.inf) and not math.prod([x._array.shape[d] for d in dims] or [1]):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    return named_as(_vector_norm(x, order, dims, keepdim), "LinalgVectorNormBackward0")


def _vector_norm(x: Tensor, order: float, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    if order == math.inf:
        return amax(x.abs(), dims, keepdim)
    if order == -math.inf:
        return amin(x.abs(), dims, keepdim)
    if order == 0:
        return _sum(where(x != 0, x * 0 + 1, 0.0), dim=dims, keepdim=keepdim)
    if order == 1:
        return _sum(x.abs(), dim=dims, keepdim=keepdim)
    if order == 2 and all(x._array.shape[d] == 1 for d in dims):
        return _sum(x.abs(), dim=dims, keepdim=keepdim)  # whose square could underflow
    if order == 2:
        return call_unary(_euclidean_norm, x, {"dim": dims, "keepdim": keepdim})
    total = _sum(_power(x.abs(), order), dim=dims, keepdim=keepdim)
    return _power(total, 1 / order)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x ≥ 0, whose derivative is 0 where x is."""
    zero = x.detach() == 0
    nothing = 0.0 if exponent > 0 else math.inf
    return where(zero, nothing, where(zero, 1.0, x) ** exponent)


@operation
def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *,
    dtype: DType = None,
) -> Tensor:  # fmt: skip
    """The norm of each matrix: "fro" (Frobenius), 1, −1, ∞ or −∞ (largest or smallest sum).

    1 adds up columns, ∞ rows. Of the singular values "nuc" is the sum, 2 the largest, −2 the least.
    """
    x = _checked("linalg.matrix_norm", A, dtype)
    if x._array.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got " + str(list(dim)))
    rows, columns = read_dims(dim, x._array.ndim)
    if ord == "fro":
        out = _vector_norm(x, 2.0, (rows, columns), keepdim)
        return named_as(out, "LinalgVectorNormBackward0")
    if ord in ("nuc", 2, -2):
        return _spectral_norm(x, ord, (rows, columns), keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    added, kept = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = _sum(x.abs(), dim=(added,), keepdim=keepdim)
    along = kept if keepdim or kept < added else kept - 1
    if x._array.shape[kept] == 0 and ord in (1, math.inf):
        return _sum(sums, dim=(along,), keepdim=keepdim)
    return (amax if ord in (1, math.inf) else amin)(sums, along, keepdim)


def _spectral_norm(x: Tensor, ord: Any, dims: tuple[int, int], keepdim: bool) -> Tensor:
    """A norm of the singular values of the matrices in two dimensions."""
    kept = [d for d in range(x._array.ndim) if d not in dims]
    values = singular_values(permute(x, [*kept, *dims]))
    if ord == "nuc":
        out = named_as(_sum(values, dim=(len(kept),), keepdim=False), "SumBackward1")
    else:
        out = (amax if ord == 2 else amin)(values, -1)
    if not keepdim:
        return out
    out = reshape(out, [1 if d in dims else n for d, n in enumerate(x._array.shape)])
    return named_as(out, "PermuteBackward0")


@operation
def linalg_norm(
    A: Tensor, ord: float | str | None = None, dim: Dims | None = None,
    keepdim: bool = False, *, dtype: DType = None,
) -> Tensor:  # fmt: skip
    """`vector_norm`, or `matrix_norm` where `ord` is given and there are two dimensions."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and A._array.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {A._array.ndim}D."
        )
    dims = (0, 1) if dim is None and A._array.ndim == 2 else dim
    if isinstance(dims, tuple | list) and len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    order: Any = ord
    return vector_norm(A, order, dim, keepdim, dtype=dtype)


@operation
def norm(
    input: Tensor, p: float | str | None = "fro", dim: Dims | None = None,
    keepdim: bool = False, dtype: DType = None,
) -> Tensor:  # fmt: skip
    """The p-norm over `dim` (all unless given): `linalg.vector_norm`.

    >>> torch.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc" or (p == "fro" and isinstance(dim, tuple | list) and len(dim) > 2):
        dims: Any = (-2, -1) if dim is None else dim
        return matrix_norm(input, p, dims, keepdim, dtype=dtype)
    order: Any = 2 if p in ("fro", None) else p
    return _norm_of_vectors(input, order, dim, keepdim, dtype)


# Distances


@operation
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of x − y, which broadcast.

    >>> torch.dist(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]))
    tensor(5.)
    """
    return named_as(vector_norm(input - other, p), "DistBackward0")


@in_float32
@operation
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norms of the differences between each row of `x1` and each of `x2`.

    (…, n, d) and (…, m, d) give (…, n, m); the leading sizes broadcast. `compute_mode` is read and
    makes no difference: the differences are always taken.

    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    for name, x in (("X1", x1), ("X2", x2)):
        if x._array.dtype.kind not in dtypes.FLOATS:
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {x.dtype.legacy_name}"
            )
        if x._array.ndim < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, {name} got: {x._array.ndim}D"
            )
    sizes = x1._array.shape[-1], x2._array.shape[-1]
    if sizes[0] != sizes[1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {sizes[0]} X2: {sizes[1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    apart = unsqueeze(x1, -2) - unsqueeze(x2, -3)
    if sizes[0] == 0:
        return apart.sum(-1)
    out = vector_norm(apart, p, -1)
    many = max(x1._array.shape[-2], x2._array.shape[-2]) > 25
    by_products = p == 2 and (
        compute_mode == "use_mm_for_euclid_dist"
        or (many and compute_mode != "donot_use_mm_for_euclid_dist")
    )
    return named_as(out, "ViewBackward0" if by_products else "CdistBackward0")


@operation
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, those whose p-norm exceeds `maxnorm` scaled down to it.

    Source: PyTorch divides by the norm + 1e-7.
    """
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {float(maxnorm):g}")
    ndim = input._array.ndim
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    axis = read_dim(dim, ndim)
    others = tuple(d for d in range(ndim) if d != axis)
    exceeds = vector_norm(input.detach(), p, others, True) > maxnorm
    norm = vector_norm(where(exceeds, input, 1.0), p, others, True)
    scale = where(exceeds, maxnorm / (norm + 1e-7), 1.0)
    return named_as(input * scale, "RenormBackward0")
