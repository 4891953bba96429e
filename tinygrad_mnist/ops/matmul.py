"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from tinygrad_mnist import kernels
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.autocast import AUTOCAST, as_given, in_lower_precision, lowered
from tinygrad_mnist.engine.calls import call_binary
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import detached_from_base
from tinygrad_mnist.kernels.dispatch import LARGE

from .arguments import check_tensors, not_implemented, operation, to_out
from .shapes import reshape, unsqueeze


@primitive(grad_fn="MmBackward0 BmmBackward0")
def _mm(input: Array, mat2: Array) -> Any:
    """X Y"""
    return kernels.matmul(input, mat2)


_mm.derivatives(input=lambda g, mat2: _mm(g, mat2.mT), mat2=lambda g, input: _mm(input.mT, g))


_FLOAT32 = np.dtype(np.float32)


@primitive
def _dot(input: Array, tensor: Array) -> Any:
    """Σ x · y"""
    return np.dot(input, tensor)


@primitive
def _mv(input: Array, vec: Array) -> Any:
    """X y"""
    if input.ndim == 2 and input.size < LARGE:
        return np.dot(input, vec)
    return kernels.matmul(input, vec[:, None])[:, 0]


_dot.derivatives(input=lambda g, tensor: g * tensor, tensor=lambda g, input: g * input)
_mv.derivatives(input=lambda g, vec: g[:, None] * vec, vec=lambda g, input: _mv(input.mT, g))


def _check_operands(name: str, input: Any, other: Any) -> None:
    check_tensors(name, input=input, other=other)
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: "
            f"{input.dtype.cpp_name} != {other.dtype.cpp_name}"
        )
    if input._array.ndim == 0 or other._array.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are "
            f"{input._array.ndim}D and {other._array.ndim}D"
        )


def _refuse_bools(kernel: str, input: Tensor) -> None:
    """Raise PyTorch's error for a product of bools, which it computes where there are none."""
    if input._array.dtype == bool and (input._array.size or kernel == "dot"):
        raise not_implemented(kernel, input._array.dtype)


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product, of vectors, matrices, or batches of matrices (…, n, m) @ (…, m, p).

    The leading dimensions broadcast; a vector counts as a row on the left, as a column on the
    right. Raises RuntimeError when types differ or the inner sizes do not match.

    >>> torch.tensor([[1.0, 2.0]]) @ torch.tensor([[3.0], [4.0]])
    tensor([[11.]])
    """
    if out is not None:
        return to_out(matmul, out, (input, other), {})
    if AUTOCAST:
        input, other = lowered(input, other)
    if input.__class__ is not other.__class__ or input._array.dtype is not other._array.dtype:
        _check_operands("matmul", input, other)
    x, y = input._array, other._array
    if x.ndim == 2 and y.ndim == 2 and x.shape[1] == y.shape[0]:
        if x.dtype.kind == "b" and x.size and y.size:
            _refuse_bools("addmm_impl_cpu_", input)
        return call_binary(_mm, input, other)
    if x.ndim == 2 and y.ndim == 1 and x.shape[1] == y.shape[0] and x.dtype.kind == "f":
        return call_binary(_mv, input, other)
    _check_operands("matmul", input, other)
    if x.ndim == 1 and y.ndim == 1:
        return dot(input, other)
    if x.ndim == 1:
        rows = matmul(unsqueeze(input, 0), other)
        row = detached_from_base(reshape(rows, (*rows.shape[:-2], rows.shape[-1])))
        if y.ndim > 2:
            return named_as(row, "UnsafeViewBackward0")
        row._counter[0] += 1  # PyTorch takes the dimension away in place
        return named_as(row, "SqueezeBackward4")
    if y.ndim == 1:
        if x.shape[-1] != y.shape[0]:
            _refuse_shapes(x.shape, y.shape)
        _refuse_bools("addmv_impl_cpu", input)
        if x.ndim == 2:
            return call_binary(_mv, input, other)
        columns = _mm(input, unsqueeze(other, 1))
        rows = detached_from_base(reshape(columns, columns.shape[:-1]))
        return named_as(rows, "UnsafeViewBackward0")
    if x.shape[-1] != y.shape[-2] or not _broadcast(x.shape[:-2], y.shape[:-2]):
        _refuse_shapes(x.shape, y.shape)
    _refuse_bools("bmm" if y.ndim > 2 else "addmm_impl_cpu_", input)
    return named_as(
        _mm(input, other), "UnsafeViewBackward0" if x.ndim > 2 else "TransposeBackward0"
    )


def _broadcast(x: tuple[int, ...], y: tuple[int, ...]) -> bool:
    """Whether the leading sizes of batches fit together."""
    try:
        return x == y or np.broadcast_shapes(x, y) is not None
    except ValueError:
        return False


def _refuse_shapes(x: tuple[int, ...], y: tuple[int, ...]) -> NoReturn:
    if len(x) == 2 and len(y) <= 2:
        if len(y) == 1:
            raise RuntimeError(
                f"size mismatch, got input ({x[0]}), mat ({x[0]}x{x[1]}), vec ({y[0]})"
            )
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({x[0]}x{x[1]} and {y[0]}x{y[1]})"
        )
    raise RuntimeError(
        f"matmul: shapes {list(x)} and {list(y)} do not fit: the last size of the first must be "
        f"the last but one of the second, and the leading sizes must broadcast"
    )


@in_lower_precision
@operation
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, (n, m) and (m, p)."""
    if input._array.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2._array.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    return matmul(input, mat2)


@as_given
@operation
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix (n, m) and a vector (m)."""
    if input._array.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if input._array.ndim != 2 or vec._array.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {vec._array.ndim}, {input._array.ndim}, "
            f"{vec._array.ndim}"
        )
    return matmul(input, vec)


@operation
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors of equal length."""
    x, y = input._array, tensor._array
    if x.ndim == y.ndim == 1 and x.shape == y.shape and x.dtype is y.dtype is _FLOAT32:
        return call_binary(_dot, input, tensor)
    _check_operands("dot", input, tensor)
    if x.ndim != 1 or y.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {x.ndim}D and {y.ndim}D tensors")
    if x.shape != y.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{x.shape[0]}] and src [{y.shape[0]}] to "
            f"have the same number of elements, but got {x.shape[0]} and {y.shape[0]} elements "
            "respectively"
        )
    _refuse_bools("dot", input)
    return call_binary(_dot, input, tensor)


@in_lower_precision
@operation
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, (b, n, m) and (b, m, p)."""
    x, y = input._array, mat2._array
    if x.ndim != 3 or y.ndim != 3:
        raise RuntimeError(f"batch1 must be a 3D tensor, got {x.ndim}D and {y.ndim}D")
    if x.shape[0] != y.shape[0] or x.shape[2] != y.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: "
            f"[{x.shape[0]}, {x.shape[2]}] but got: [{y.shape[0]}, {y.shape[1]}]."
        )
    _check_operands("bmm", input, mat2)
    _refuse_bools("bmm", input)
    return named_as(_mm(input, mat2), "BmmBackward0")
