"""Reading the arguments that operations share: dimensions, shapes, and NumPy's spellings."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.tensor import TensorBase

Function = TypeVar("Function", bound=Callable[..., Any])


def check_tensors(name: str, **arguments: Any) -> None:
    """Raise PyTorch's TypeError for the first of `arguments` that is not a Tensor."""
    for position, (argument, given) in enumerate(arguments.items(), 1):
        if not isinstance(given, TensorBase):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
                f"not {type(given).__name__}"
            )


def check_elements(tensors: Any) -> None:
    """Raise PyTorch's TypeError for the first of a sequence that is not a Tensor."""
    for number, given in enumerate(tensors):
        if not isinstance(given, TensorBase):
            raise TypeError(
                f"expected Tensor as element {number} in argument 0, but got {type(given).__name__}"
            )


def check_some_tensor(name: str, *operands: Any) -> None:
    """Raise TypeError where none of the operands is a Tensor."""
    if not any(isinstance(operand, TensorBase) for operand in operands):
        given = ", ".join(type(operand).__name__ for operand in operands)
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({given}), but expected "
            "a Tensor and a Tensor or a number"
        )


def check_number_fits(value: Any, kind: dtypes.dtype) -> None:
    """Raise PyTorch's RuntimeError for a number that a type cannot hold."""
    number = value._array.item() if isinstance(value, TensorBase) else value
    if kind.is_floating_point or kind is dtypes.bool or isinstance(number, bool):
        return
    limits = np.iinfo(kind.numpy)
    if not limits.min <= number <= limits.max:
        raise RuntimeError(f"value cannot be converted to type {kind.cpp_name} without overflow")


def not_implemented(name: str, kind: np.dtype[Any]) -> NotImplementedError:
    """PyTorch's error for an operation that has no loop for a type."""
    legacy_name = dtypes.from_numpy_dtype(kind).legacy_name
    return NotImplementedError(f"\"{name}\" not implemented for '{legacy_name}'")


def check_floating(name: str, array: np.ndarray[Any, Any]) -> None:
    """Raise PyTorch's NotImplementedError for integers and bools."""
    if array.dtype.kind != "f":
        raise not_implemented(name, array.dtype)


def read_dim(dim: Any, ndim: int) -> int:
    """`dim` counted from the front; IndexError when `ndim` dimensions have no such one."""
    try:
        number = operator.index(dim)
    except TypeError:
        raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}") from None
    span = max(ndim, 1)
    if not -span <= number < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], "
            f"but got {number})"
        )
    return number % span


def read_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim` names, in its order: all for None or (), one for an int."""
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    given: Iterable[Any] = dim if isinstance(dim, tuple | list) else (dim,)
    dims = tuple(read_dim(each, ndim) for each in given)
    for each in dims:
        if dims.count(each) > 1:
            raise RuntimeError(f"dim {each} appears multiple times in the list of dims")
    return dims if ndim else ()


def read_shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as f(2, 3), f((2, 3)) or f([2, 3])."""
    if len(sizes) == 1 and not isinstance(sizes[0], int) and not isinstance(sizes[0], TensorBase):
        sizes = tuple(sizes[0])
    try:
        return tuple([operator.index(size) for size in sizes])
    except TypeError:
        wrong = next(type(size).__name__ for size in sizes if not hasattr(size, "__index__"))
        raise TypeError(f"a shape takes integers, not {wrong}") from None


def read_sizes(
    name: str, keyword: str, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[int, ...]:
    """Sizes given one by one, as a sequence, or by their `keyword`; TypeError for anything else."""
    if not given and keyword in named:
        given = (named.pop(keyword),)
    for unknown in named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{unknown}'")
    if not given:
        raise TypeError(f'{name}() missing 1 required positional arguments: "{keyword}"')
    return read_shape(given)


def out_refused(name: str) -> NotImplementedError:
    """The error for out=, which no operation takes."""
    return NotImplementedError(
        f"{name}(out=) is not supported: assign the result, or copy it with out.copy_({name}(...))"
    )


def tensor_first(function: Function) -> Function:
    """Let `function` raise PyTorch's TypeError when its first argument is not a Tensor."""

    @functools.wraps(function)
    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, TensorBase):
            check_tensors(function.__name__, input=input)
        return function(input, *args, **kwargs)

    return call  # type: ignore[return-value]


def torch_arguments(function: Function) -> Function:
    """Let `function` take NumPy's axis= and keepdims=, and refuse out= with a sentence."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if "axis" in kwargs:
                kwargs["dim"] = kwargs.pop("axis")
            if "keepdims" in kwargs:
                kwargs["keepdim"] = kwargs.pop("keepdims")
            if kwargs.pop("out", None) is not None:
                raise out_refused(function.__name__)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]


# The size of a tensor to be made: f(2, 3), f((2, 3)), f(size=(2, 3))


def read_size(function: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The size in `given`, or in `named` under "size".

    Raises TypeError for what is not integers, RuntimeError for a negative length.
    """
    if "size" in named and not given:
        given = (named.pop("size"),)
    if named:
        name = next(iter(named))
        raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")
    if not given:
        raise TypeError(f'{function}() missing 1 required positional arguments: "size"')
    size = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    lengths = []
    for position, length in enumerate(size, 1):
        if isinstance(length, tuple | list):
            raise TypeError(f"{function}() takes 1 positional argument but {len(given)} were given")
        if not _is_length(length):
            raise TypeError(_complaint(function, length, position, size is given))
        lengths.append(operator.index(length))
    if min(lengths, default=0) < 0:
        if function == "zeros":
            raise RuntimeError("zeros: Dimension size must be non-negative.")
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(lengths)}: {lengths}"
        )
    return tuple(lengths)


def _is_length(length: Any) -> bool:
    if isinstance(length, bool):
        return False
    if isinstance(length, TensorBase):
        return length._array.size == 1 and length._array.dtype.kind in "iu"
    return hasattr(length, "__index__")


def _complaint(function: str, length: Any, position: int, direct: bool) -> str:
    name = type(length).__name__
    if direct:
        return f"{function}(): argument 'size' (position 1) must be tuple of ints, not {name}"
    return (
        f"{function}(): argument 'size' failed to unpack the object at pos {position} with error "
        f'"type must be tuple of ints,but got {name}"'
    )


# The type that an argument names: torch.float32, float, "torch.LongTensor"

_OF_PYTHON = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool}
"""What Python's own types stand for, where PyTorch takes them."""


def read_dtype(function: str, given: Any) -> dtypes.dtype | None:
    """The dtype that `given` names, None for None; TypeError when it is no type."""
    if given is None or isinstance(given, dtypes.dtype):
        return given
    if isinstance(given, type) and given in _OF_PYTHON:
        return _OF_PYTHON[given]
    raise TypeError(
        f"{function}(): argument 'dtype' must be torch.dtype, not {type(given).__name__}"
    )


def read_legacy_type(given: Any) -> dtypes.dtype:
    """The dtype that a name such as "torch.FloatTensor", or the class of that name, stands for."""
    if isinstance(given, dtypes.dtype):
        return given
    named = {f"torch.{kind.legacy_name}Tensor": kind for kind in dtypes._ALL}
    name = given if isinstance(given, str) else f"torch.{getattr(given, '__name__', given)}"
    if name not in named:
        raise ValueError(f"invalid type: '{getattr(given, '__name__', given)}'")
    return named[name]


# return_types: The named pairs that operations return which find numbers and tell where they are.


class _ValuesAndIndices(NamedTuple):
    values: Any
    indices: Any


class _MinAndMax(NamedTuple):
    min: Any
    max: Any


def _named(name: str, fields: type[Any]) -> type[Any]:
    def representation(pair: Any) -> str:
        lines = [f"{field}={value!r}" for field, value in pair._asdict().items()]
        return f"torch.return_types.{name}(\n" + ",\n".join(lines) + ")"

    return type(name, (fields,), {"__repr__": representation, "__slots__": ()})


RETURN_TYPES = {
    name: _named(name, _ValuesAndIndices)
    for name in (
        "cummax",
        "cummin",
        "kthvalue",
        "max",
        "median",
        "min",
        "mode",
        "nanmedian",
        "sort",
        "topk",
    )
} | {"aminmax": _named("aminmax", _MinAndMax)}


def named_result(name: str, *values: Any) -> Any:
    """The pair that the operation `name` returns; it prints and unpacks as PyTorch's does."""
    return RETURN_TYPES[name](*values)
