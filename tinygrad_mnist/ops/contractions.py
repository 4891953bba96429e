"""Products that sum over named dimensions, and products with something added."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_mnist.engine.record import label, wrap
from tinygrad_mnist.engine.tensor import Tensor

from .arguments import check_tensors, read_dim, torch_arguments
from .casting import made
from .choosing import where
from .diagonals import diagonal
from .linalg import bmm, matmul, mm, mv
from .reductions import _sum
from .shapes import permute, reshape

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "einsum",
    "ger",
    "inner",
    "outer",
    "tensordot",
]

Labels = list[str]


@torch_arguments
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of each number of a vector with each of another: (n), (m) to (n, m).

    >>> import tinygrad_mnist as torch
    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    check_tensors("outer", input=input, vec2=vec2)
    for name, vector in (("self", input), ("vec2", vec2)):
        if vector._array.ndim != 1:
            raise RuntimeError(
                f"outer: Expected 1-D argument {name}, but got {vector._array.ndim}-D"
            )
    return reshape(input, -1, 1) * vec2


@torch_arguments
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last dimensions; with a number, the product."""
    check_tensors("inner", input=input, other=other)
    if input._array.ndim == 0 or other._array.ndim == 0:
        return input * other
    if input._array.shape[-1] != other._array.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input._array.shape)} and {list(other._array.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


def _added(name: str, input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta · input + alpha · product; an input whose beta is 0 counts nothing, NaN or not."""
    if input._array.dtype != product._array.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {input.dtype.legacy_name} and "
            f"{product.dtype.legacy_name}"
        )
    if input._array.dtype.kind != "f":
        to_type = bool if input._array.dtype.kind == "b" else int
        beta, alpha = to_type(beta), to_type(alpha)
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        input = where(wrap(made(np.ones(input._array.shape, bool))), beta, input)
    given = input if beta in (0, 1) else input * beta
    out = given + scaled
    if out._array.shape != product._array.shape:
        raise RuntimeError(
            f"The expanded size of the tensor ({list(product._array.shape)}) must match the "
            f"existing size ({list(input._array.shape)})"
        )
    return label(out, f"{name}Backward0")


@torch_arguments
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta · input + alpha · (mat1 @ mat2) for matrices; `input` broadcasts.

    >>> import tinygrad_mnist as torch
    >>> torch.addmm(torch.ones(2), torch.eye(2), torch.eye(2), alpha=2)
    tensor([[3., 1.],
            [1., 3.]])
    """
    check_tensors("addmm", input=input, mat1=mat1, mat2=mat2)
    return _added("Addmm", input, mm(mat1, mat2), beta, alpha)


@torch_arguments
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta · input + alpha · (mat @ vec) for a matrix and a vector; `input` broadcasts."""
    check_tensors("addmv", input=input, mat=mat, vec=vec)
    return _added("Addmv", input, mv(mat, vec), beta, alpha)


@torch_arguments
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta · input + alpha · `outer` of two vectors; `input` broadcasts."""
    check_tensors("addr", input=input, vec1=vec1, vec2=vec2)
    return _added("Addr", input, outer(vec1, vec2), beta, alpha)


@torch_arguments
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta · input + alpha · (batch1 @ batch2) for batches of matrices; `input` broadcasts."""
    check_tensors("baddbmm", input=input, batch1=batch1, batch2=batch2)
    return _added("Baddbmm", input, bmm(batch1, batch2), beta, alpha)


@torch_arguments
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta · input + alpha · Σ (batch1 @ batch2), the products of the batch added up."""
    check_tensors("addbmm", input=input, batch1=batch1, batch2=batch2)
    total = _sum(bmm(batch1, batch2), dim=(0,), keepdim=False)
    return _added("Addbmm", input, total, beta, alpha)


@torch_arguments
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sums of products over the last `dims` dimensions of `a` and the first of `b`.

    `dims` may be two lists of dimensions instead, one for each tensor.

    >>> import tinygrad_mnist as torch
    >>> torch.tensordot(torch.ones(2, 3), torch.ones(3, 4), 1).shape
    torch.Size([2, 4])
    """
    check_tensors("tensordot", a=a, b=b)
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        first: Any = range(a._array.ndim - dims, a._array.ndim)
        second: Any = range(dims)
    else:
        first, second = (list(d) if hasattr(d, "__len__") else [d] for d in dims)
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
    names = iter(string.ascii_letters)
    left = [next(names) for _ in a._array.shape]
    right = [next(names) for _ in b._array.shape]
    for x, y in zip(*summed, strict=True):
        right[y] = left[x]
    kept = [n for n in left if n not in right] + [n for n in right if n not in left]
    return _contract([(a, left), (b, right)], kept)


def einsum(*args: Any) -> Tensor:
    """Sums of products, by Einstein's convention: an equation, then its operands.

    The equation names each dimension of each operand by a letter, "ij,jk->ik"; dimensions of one
    name are multiplied together, those that are not named on the right are summed. "…" stands
    for dimensions that broadcast. Without "->" the letters that occur once stay, in alphabetical
    order. Raises RuntimeError for an equation that does not fit.

    >>> import tinygrad_mnist as torch
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
    given = args[1] if len(args) == 2 and isinstance(args[1], tuple | list) else args[1:]
    if not given:
        raise RuntimeError("einsum(): must provide at least one operand")
    inputs, arrow, right = equation.partition("->")
    parts = inputs.split(",")
    if len(parts) != len(given):
        raise RuntimeError(
            f"einsum(): {'more' if len(given) > len(parts) else 'fewer'} operands were provided "
            "than specified in the equation"
        )
    wide = max(t._array.ndim - len(p.replace("...", "")) if "..." in p else 0
               for p, t in zip(parts, given, strict=True))  # fmt: skip
    operands = [
        _without_repeats(tensor, _read_labels(part, tensor._array.ndim, wide, number))
        for number, (part, tensor) in enumerate(zip(parts, given, strict=True))
    ]
    kept = _read_result(right, wide) if arrow else _implied(parts, wide)
    _check_result(kept, operands)
    return _contract(operands, kept)


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
    hidden = ndim - len(before) - len(after)
    if hidden < 0 or (hidden and not dots):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) does "
            f"not match the number of dimensions ({ndim}) for operand {number} and no ellipsis was "
            "given" if hidden >= 0 or not dots else
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) is "
            f"more than the number of dimensions ({ndim}) for operand {number}"
        )  # fmt: skip
    return [*before, *_broadcast_labels(hidden, wide), *after]


def _read_result(right: str, wide: int) -> Labels:
    before, dots, after = right.partition("...")
    return [*before, *(_broadcast_labels(wide, wide) if dots else []), *after]


def _implied(parts: list[str], wide: int) -> Labels:
    """The result's dimensions where the equation does not say: letters that occur once."""
    letters = "".join(parts).replace("...", "")
    once = sorted({letter for letter in letters if letters.count(letter) == 1})
    return _broadcast_labels(wide, wide) + once


def _check_result(kept: Labels, operands: list[tuple[Tensor, Labels]]) -> None:
    for name in kept:
        if kept.count(name) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {name} appears more than once in the output"
            )
        if not any(name in labels for _, labels in operands):
            raise RuntimeError(
                f"einsum(): output subscript {name} does not appear in the equation for any input "
                "operand"
            )


def _without_repeats(tensor: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """The operand with one dimension for each name: its diagonal where a name is repeated."""
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


def _contract(operands: list[tuple[Tensor, Labels]], kept: Labels) -> Tensor:
    """Multiply the operands, from left to right, and sum over the names that are not kept."""
    operands = _fitted(operands)
    tensor, labels = operands[0]
    for number, (other, names) in enumerate(operands[1:], 1):
        later = {name for _, rest in operands[number + 1 :] for name in rest} | set(kept)
        if later.issuperset([*labels, *names]):
            tensor, labels = _product(tensor, labels, other, names, kept)
        else:
            first = _summed(tensor, labels, later | set(names))
            tensor, labels = _pair(*first, *_summed(other, names, later | set(labels)), later)
    tensor, labels = _summed(tensor, labels, set(kept))
    order = [labels.index(name) for name in kept]
    return permute(tensor, order) if order != sorted(order) else tensor


def _fitted(operands: list[tuple[Tensor, Labels]]) -> list[tuple[Tensor, Labels]]:
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
    return [
        (tensor.expand([sizes[name] for name in labels]) if labels else tensor, labels)
        for tensor, labels in operands
    ]


def _summed(tensor: Tensor, labels: Labels, needed: set[str]) -> tuple[Tensor, Labels]:
    """The operand summed over the names that nothing needs."""
    gone = tuple([d for d, name in enumerate(labels) if name not in needed])
    if not gone:
        return tensor, labels
    return _sum(tensor, dim=gone, keepdim=False), [name for name in labels if name in needed]


def _product(
    x: Tensor, left: Labels, y: Tensor, right: Labels, kept: Labels
) -> tuple[Tensor, Labels]:
    """The product of two operands that sums over nothing, in the order of `kept`."""
    names = list(dict.fromkeys([*(n for n in kept if n in left or n in right), *left, *right]))
    return _spread(x, left, names) * _spread(y, right, names), names


def _spread(tensor: Tensor, labels: Labels, names: Labels) -> Tensor:
    """The tensor with a dimension for each name, of size 1 for those that are not its own."""
    sizes = dict(zip(labels, tensor._array.shape, strict=True))
    order = [labels.index(name) for name in names if name in labels]
    turned = permute(tensor, order) if order != sorted(order) else tensor
    return reshape(turned, [sizes.get(name, 1) for name in names])


def _pair(
    x: Tensor, left: Labels, y: Tensor, right: Labels, later: set[str]
) -> tuple[Tensor, Labels]:
    """The product of two operands, summed over shared names that nothing later needs."""
    batch = [name for name in left if name in right and name in later]
    summed = [name for name in left if name in right and name not in later]
    only_x = [name for name in left if name not in right]
    only_y = [name for name in right if name not in left]
    first = _grouped(x, left, [batch, only_x, summed])
    second = _grouped(y, right, [batch, summed, only_y])
    sizes = dict(zip(left, x._array.shape, strict=True))
    sizes |= dict(zip(right, y._array.shape, strict=True))
    names = batch + only_x + only_y
    return reshape(matmul(first, second), [sizes[name] for name in names]), names


def _grouped(tensor: Tensor, labels: Labels, groups: list[Labels]) -> Tensor:
    """The tensor with one dimension for each group of names."""
    sizes = dict(zip(labels, tensor._array.shape, strict=True))
    order = [labels.index(name) for group in groups for name in group]
    shape = []
    for group in groups:
        size = 1
        for name in group:
            size *= sizes[name]
        shape.append(size)
    return reshape(permute(tensor, order) if order else tensor, shape)


ger = outer
