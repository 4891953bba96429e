"""Reading what is passed to functions that draw: numbers, shapes, types, PyTorch's complaints."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.record import TensorBase

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


class Options(TypedDict, total=False):
    """The keywords that say what kind of tensor to make."""

    out: Any
    dtype: Any
    layout: Any
    device: Any
    pin_memory: bool
    requires_grad: bool


class Choice(NamedTuple):
    """What `Options` come to."""

    dtype: dtypes.dtype
    requires_grad: bool


_PYTHON_TYPES = {bool: dtypes.bool, int: dtypes.int64, float: dtypes.float64}


def mismatch(
    name: str, args: Sequence[Any], named: dict[str, Any], expected: Sequence[str]
) -> TypeError:
    """The error for a call that fits none of the `expected` signatures."""
    got = [type(value).__name__ for value in args]
    got += [f"{key}={type(value).__name__}" for key, value in named.items()]
    listed = "".join(f"\n * ({signature})" for signature in expected)
    return TypeError(
        f"{name}() received an invalid combination of arguments - got ({', '.join(got)}), "
        f"but expected one of:{listed}"
    )


def bind_from_the_right(
    name: str,
    parameters: tuple[str, ...],
    args: Sequence[Any],
    named: dict[str, Any],
    expected: Sequence[str],
) -> dict[str, Any]:
    """The arguments by name, where the first of `parameters` may be left out: randint(high, size).

    Those given by keyword are taken out of `named`. Raises TypeError where they do not fit.
    """
    by_keyword: dict[str, Any] = {key: named.pop(key) for key in parameters if key in named}
    count = len(args) + len(by_keyword)
    names = parameters[-count:] if count in (len(parameters) - 1, len(parameters)) else ()
    bound = dict(zip(names, args, strict=False)) | by_keyword
    if not names or bound.keys() != set(names):
        raise mismatch(name, args, by_keyword, expected)
    return bound


def read_options(name: str, options: dict[str, Any], default: dtypes.dtype) -> Choice:
    """Check the keywords of `Options`; TypeError for others, NotImplementedError for out=."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"{name}() got an unexpected keyword argument '{min(unknown)}'")
    refuse_out(name, options.get("out"))
    check_device(options.get("device"))
    if options.get("pin_memory"):
        raise RuntimeError("pin_memory=True requires a GPU to copy to, and there is none here")
    kind = options.get("dtype")
    if kind is None:
        kind = default
    elif isinstance(kind, type) and kind in _PYTHON_TYPES:
        kind = _PYTHON_TYPES[kind]
    elif not isinstance(kind, dtypes.dtype):
        raise TypeError(
            f"{name}(): argument 'dtype' must be torch.dtype, not {type(kind).__name__}"
        )
    requires_grad = bool(options.get("requires_grad"))
    if requires_grad and not kind.is_floating_point:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return Choice(kind, requires_grad)


def refuse_out(name: str, out: Any) -> None:
    """NotImplementedError with the way round unless `out` is None."""
    if out is not None:
        raise NotImplementedError(
            f"{name}(out=) is not supported: assign the result, or write out.copy_({name}(...))"
        )


def read_sizes(name: str, sizes: tuple[Any, ...], size: Any) -> Shape:
    """A shape given as f(2, 3), f((2, 3)), f([2, 3]) or f(size=(2, 3)).

    Raises TypeError for what is not integers.
    """
    if (not sizes) == (size is None) or (len(sizes) > 1 and _is_sequence(sizes[0])):
        named = {} if size is None else {"size": size}
        raise mismatch(name, sizes, named, ["tuple of ints size, *, torch.Generator generator"])
    if size is not None:
        return read_size(name, size, None)
    if len(sizes) == 1 and _is_sequence(sizes[0]):
        return read_size(name, sizes[0], 1)
    if not _is_integer(sizes[0]):
        raise _no_size(name, sizes[0], 1)
    return _lengths(name, sizes)


def read_size(name: str, size: Any, position: int | None) -> Shape:
    """A shape given as one argument, a tuple or list of integers; TypeError for anything else."""
    if not _is_sequence(size):
        raise _no_size(name, size, position)
    if size and not _is_integer(size[0]):
        raise TypeError(
            f"{name}(): argument 'size'{_place(position)} must be tuple of ints, but found element "
            f"of type {type(size[0]).__name__} at pos 0"
        )
    return _lengths(name, size)


def _no_size(name: str, size: Any, position: int | None) -> TypeError:
    return TypeError(
        f"{name}(): argument 'size'{_place(position)} must be tuple of ints, "
        f"not {type(size).__name__}"
    )


def _lengths(name: str, size: Sequence[Any]) -> Shape:
    shape = []
    for place, length in enumerate(size, start=1):
        if not _is_integer(length) and not isinstance(length, bool):
            reason = f"type must be tuple of ints,but got {type(length).__name__}"
        elif abs(_as_integer(length)) >= 2**63:
            reason = "Overflow when unpacking long long"
        else:
            shape.append(_as_integer(length))
            continue
        raise TypeError(
            f"{name}(): argument 'size' failed to unpack the object at pos {place} "
            f'with error "{reason}"'
        )
    return tuple(shape)


def read_int(name: str, argument: str, position: int, value: Any) -> int:
    """An argument that must be an int of 64 bits; TypeError or ValueError where it is not."""
    if not _is_integer(value):
        raise TypeError(
            f"{name}(): argument '{argument}'{_place(position)} must be int, "
            f"not {type(value).__name__}"
        )
    number = _as_integer(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError("Overflow when unpacking long long")
    return number


def is_float(value: Any) -> bool:
    """Whether PyTorch takes `value` for a float: a number, or a tensor of no dimensions."""
    if isinstance(value, TensorBase):
        return value._array.ndim == 0
    return isinstance(value, int | float | np.integer | np.floating)


def read_float(name: str, argument: str, position: int, value: Any) -> float:
    """An argument that must be a number; TypeError where it is none."""
    if not is_float(value):
        raise TypeError(
            f"{name}(): argument '{argument}'{_place(position)} must be float, "
            f"not {type(value).__name__}"
        )
    return float(value._array) if isinstance(value, TensorBase) else float(value)


def require_tensor(name: str, argument: str, position: int, value: Any) -> Any:
    """`value` itself; TypeError where it is not a tensor."""
    if not isinstance(value, TensorBase):
        raise TypeError(
            f"{name}(): argument '{argument}'{_place(position)} must be Tensor, "
            f"not {type(value).__name__}"
        )
    return value


def new_array(shape: Shape, kind: dtypes.dtype) -> Array:
    """An array to be filled; RuntimeError for a negative length or more bytes than there are."""
    for length in shape:
        if length < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {length}: {list(shape)}"
            )
    size = math.prod(shape) * kind.itemsize
    if size >= 2**63:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    try:
        return np.empty(shape, kind.numpy)
    except MemoryError:
        raise RuntimeError(
            f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes."
        ) from None


def _place(position: int | None) -> str:
    return "" if position is None else f" (position {position})"


def _is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | list)


def _is_integer(value: Any) -> bool:
    if isinstance(value, TensorBase):
        return value._array.size == 1 and value._array.dtype.kind in "iu"
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _as_integer(value: Any) -> int:
    return operator.index(value._array.item() if isinstance(value, TensorBase) else value)
