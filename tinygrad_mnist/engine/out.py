"""`out=`: a result written into a tensor that is there, which takes the result's shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array, state

from .memory import SHARED, elements_shared, memory_of
from .modes import GradMode, backward_mode
from .observer import OBSERVERS, note_untraceable
from .tensor import TensorBase
from .views import current_record

_OF_ONE_TYPE = """
    abs addbmm addmm addmv all amax amin aminmax any argmax argmin argsort avg_pool2d avg_pool3d
    baddbmm bitwise_not bmm ceil chain_matmul cholesky clamp conj_physical cummax cummin diag dot
    float_power floor frac gather gelu hardshrink heaviside index_add index_copy index_reduce
    index_select inner inv inverse isin isneginf isposinf kthvalue lerp linalg_inv
    linalg_matrix_norm linalg_norm linalg_qr linalg_solve linalg_svdvals linalg_vector_norm
    log_softmax logcumsumexp logsigmoid masked_select matmul matrix_norm max median min mm mv
    nan_to_num neg nonzero norm qr round scatter scatter_add scatter_reduce sgn sign signbit slogdet
    softmax softplus softshrink solve sort svdvals take take_along_dim tensordot topk tril triu
    trunc vector_norm where
"""
_MADE = "addbmm empty eye full linspace logsigmoid logspace ones rand randint randn randperm zeros"
SAME_TYPE = frozenset(_OF_ONE_TYPE.split())
"""Operations that write into a tensor of the result's type alone."""
_SCALAR_TYPE = ("cummax", "cummin", "logcumsumexp")
"""Those that say so in other words."""
WITHOUT = frozenset(["relu", "isnan", "isinf", "isfinite"])
"""Primitives that take no out=, as in PyTorch."""
_JOINED = ("cat", "column_stack", "dstack", "hstack", "stack", "vstack")
_ROWS = ("arange", "linspace", "logspace", "range")
"""Those that fill a tensor of as many numbers in its order, whatever its shape."""
_SILENT = frozenset(_MADE.split())
"""Those that give it another shape without a warning."""


def into(name: str, out: Any, inputs: Iterable[Any], call: Callable[[], Any]) -> Any:
    """What `call` gives of the inputs, written into `out`, a tensor or one for each result.

    Raises TypeError for another number of tensors, RuntimeError for types that do not fit and
    where a gradient would be lost.
    """
    targets = out if isinstance(out, tuple | list) else (out,)
    for target in targets:
        if not isinstance(target, TensorBase):
            kind = type(target).__name__
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {kind}")
        if not target._array.flags.writeable and elements_shared(target._array):
            raise RuntimeError(SHARED)
    if (
        state.grad_enabled
        and not name.startswith("logical_")
        and any(current_record(tensor) is not None for tensor in _tensors((*inputs, *targets)))
    ):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic "
            "differentiation, but one of the arguments requires grad."
        )
    for level in backward_mode.levels:
        if any(level.tangent(each) is not None for each in _tensors((*inputs, *targets))):
            raise NotImplementedError(
                f"Trying to use forward AD with {name}_out that does not support it because it is "
                "an out= function: it has no tangent. Call it without out="
            )
    with GradMode(False):
        result = call()
    found = result if isinstance(result, tuple | list) else (result,)
    if len(found) != len(targets):
        raise TypeError(f"{name}(): argument 'out' must be tuple of {len(found)} Tensors")
    for target, value in zip(targets, found, strict=True):
        _write(name, target, value)
    return out if found[0] is result else type(result)(*targets)


def _tensors(values: Iterable[Any]) -> Iterator[TensorBase]:
    for value in values:
        if isinstance(value, TensorBase):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _write(name: str, target: Any, value: Any) -> None:
    found: Array = value._array
    kind, wanted = found.dtype, target._array.dtype
    if kind != wanted:
        have, want = dtypes.from_numpy_dtype(kind), dtypes.from_numpy_dtype(wanted)
        if name in _SCALAR_TYPE:
            told = f"{have.legacy_name} but found {want.legacy_name}"
            raise RuntimeError(f"expected scalar_type {told}")
        if name in SAME_TYPE:
            told = f"{have.cpp_name}, but got {want.cpp_name} instead"
            raise RuntimeError(f"Expected out tensor to have dtype {told}")
        if not dtypes.can_cast(have, want) and name != "bernoulli":
            raise (TypeError if name in _JOINED else RuntimeError)(
                f"result type {have.legacy_name} can't be cast to the desired output type "
                f"{want.legacy_name}"
            )
    if name in _ROWS and found.size == target._array.size:
        found = found.reshape(target._array.shape)
    if found.shape != target._array.shape:
        if target._array.size and name not in _SILENT:
            warnings.warn(
                "An output with one or more elements was resized since it had shape "
                f"{list(target._array.shape)}, which does not match the required output shape "
                f"{list(found.shape)}. This behavior is deprecated, and in a future PyTorch "
                "release outputs will not be resized unless they have zero elements. You can "
                "explicitly reuse an out tensor t by resizing it, inplace, to zero elements with "
                "t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        note_untraceable("out= gives a tensor another shape")
        resize(target, found.shape)
    if OBSERVERS and value._array is found:
        with GradMode(False):
            target.copy_(value)
        return
    note_untraceable("out= is filled in its own order")
    state.quietly(np.copyto, target._array, found, casting="unsafe")
    target._counter[0] += 1


def resize(target: TensorBase, shape: tuple[int, ...]) -> None:
    """Give a tensor a shape: on its own memory where that has room, else on a larger copy of it."""
    memory, start = memory_of(target._array)
    row, count = memory[start:], math.prod(shape)
    if count > row.size:
        larger = np.zeros(count, target._array.dtype)
        larger[: row.size] = row
        row = larger
    target._array = row[:count].reshape(shape)
    target._counter[0] += 1
