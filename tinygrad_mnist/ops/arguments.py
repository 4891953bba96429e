"""Reading the arguments that operations share: tensors, dimensions, sizes, types; named results."""

from __future__ import annotations

import functools
import math
import operator
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import state
from tinygrad_mnist.engine.device import reading
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.out import SAME_TYPE, into
from tinygrad_mnist.engine.tensor import TENSOR_TYPE, Tensor

Function = TypeVar("Function", bound=Callable[..., Any])
_OPEN_ENDED = 0x04 | 0x08
"""The flags of code with *args or **kwargs. (The module inspect is slow to import.)"""

# Signatures, read once for each operation

_WITHOUT_ALIASES = """
    adjoint angle argwhere bincount broadcast_to chunk combinations conj corrcoef count_nonzero
    cumulative_trapezoid det diag_embed diagonal diagonal_scatter dsplit equal fill flatten flip
    fliplr flipud hsplit index_copy index_fill index_put is_complex is_floating_point is_nonzero
    isclose isreal linalg_cross linalg_vander log_softmax masked_fill masked_scatter movedim narrow
    narrow_copy numel pad permute positive ravel repeat_interleave reshape roll rot90 rsub
    scatter_add select select_scatter slice_scatter softmax split split_with_sizes squeeze std_mean
    t tensor_split tile trace transpose trapezoid unbind unflatten unfold unique unique_consecutive
    unsqueeze var_mean vecdot vsplit
"""
_NO_ALIASES = frozenset(_WITHOUT_ALIASES.split())
"""Operations that take no out=, and of NumPy's names only axis= for dim=, as in PyTorch."""
_SPELLINGS = {"axis": "dim", "keepdims": "keepdim"}
_OUT_ALONE = ("angle", "index_copy", "log_softmax", "scatter_add", "softmax")
"""Of these, those that take out=."""


_OLD_NUMBERS = {
    **dict.fromkeys(("add", "sub"), ("alpha",)),
    **dict.fromkeys(("addcdiv", "addcmul"), ("value",)),
    **dict.fromkeys(("addbmm", "addmm", "addmv", "addr", "baddbmm"), ("beta", "alpha")),
}
"""Numbers that old forms take between their tensors: `add(x, 2, y)` for `add(x, y, alpha=2)`."""
_OPERANDS = ("Operand", "Tensor | float", "Tensor | int", "float | Tensor")
_OPTIONAL_OPERANDS = ("Operand | None", "Tensor | float | None", "int | Tensor | None")
_NUMBERS = (bool, int, float, np.generic)
_ALLOWED = {
    **dict.fromkeys(_OPERANDS, (Tensor, *_NUMBERS)),
    **dict.fromkeys(_OPTIONAL_OPERANDS, (Tensor, *_NUMBERS, type(None))),
}
_TENSOR, _FLOAT = ("Tensor", Tensor), ("float", "float | None")
_KINDS_OF_CALL = 64


class _Signature:
    """What an operation asks of its arguments, read once from how its function is declared."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.name = function, function.__name__
        kinds, code = function.__annotations__, function.__code__
        parameters = list(enumerate(code.co_varnames[: code.co_argcount]))
        self.tensors = tuple([each for each in parameters if kinds.get(each[1]) in _TENSOR])
        of_arrays_too = "Tensor | Array" in kinds.values()
        self.operands = tuple([(i, name, _ALLOWED[kinds[name]]) for i, name in parameters
                               if kinds.get(name) in _ALLOWED and not of_arrays_too])  # fmt: skip
        self.floats = frozenset([n for n, kind in kinds.items() if kind in _FLOAT])
        self.positions = tuple([each for each in parameters if each[1] in self.floats])
        aliases = self.name not in _NO_ALIASES
        self.spellings = _SPELLINGS.keys() if "dim" in kinds or aliases else frozenset()
        self.takes_out = aliases or self.name in _OUT_ALONE
        self.numbers = _OLD_NUMBERS.get(self.name)
        self.most = code.co_argcount if self.numbers else sys.maxsize
        self.first: type | None = None
        """What the first argument must be, where nothing is asked of other positional ones."""
        if not (self.positions or self.operands or self.numbers or self.tensors[1:]):
            place = self.tensors[0][0] if self.tensors else None
            self.first = {None: object, 0: Tensor}.get(place)
        self.settled: set[tuple[object, ...]] = set()
        """The classes of arguments, and their keywords, that were found to be in order."""

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise PyTorch's TypeError for arguments of a wrong class; respell NumPy's keywords."""
        if kwargs:
            for numpy_name in self.spellings & kwargs.keys():
                kwargs[_SPELLINGS[numpy_name]] = kwargs.pop(numpy_name)
            for name in self.floats & kwargs.keys():
                _check_number(self.name, name, kwargs[name])
        of_tensors = False
        for position, name in self.positions:
            if position < len(args):
                _check_number(self.name, name, args[position], position + 1)
                of_tensors = of_tensors or isinstance(args[position], Tensor)
        for position, name, allowed_types in self.operands:
            given = args[position] if position < len(args) else kwargs.get(name, 0)
            if not isinstance(given, allowed_types):
                raise not_a_tensor(self.name, name, position + 1, given)
        for position, name in self.tensors:
            given = args[position] if position < len(args) else kwargs.get(name)
            if not isinstance(given, Tensor):
                _refuse(self.function, self.tensors, args, kwargs)
        of_tensors = of_tensors or any(isinstance(kwargs.get(n), Tensor) for n in self.floats)
        if not of_tensors and len(self.settled) < _KINDS_OF_CALL:
            self.settled.add((*map(type, args), *kwargs, *map(type, kwargs.values())))


def operation(function: Function, grad_fn: str | None = None) -> Function:
    """Let `function` take its arguments as PyTorch's operations do, and name its record `grad_fn`.

    What its signature declares to be a `Tensor` must be one, else PyTorch's TypeError is raised;
    an `Operand` is no array, a `float` no Tensor that requires a gradient.
    NumPy's axis= and keepdims= stand for dim= and keepdim=, and out= takes a tensor to write into,
    where PyTorch has them.
    """
    signature = _Signature(function)
    settled, most, takes_out = signature.settled, signature.most, signature.takes_out
    first = signature.first

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            known = (*map(type, args), *kwargs, *map(type, kwargs.values())) in settled
        elif first is not None and args:
            known = isinstance(args[0], first)
        else:
            known = (*map(type, args),) in settled
        if not known:
            if len(args) > most:
                args, kwargs = _today(signature.name, most, signature.numbers, args, kwargs)
            if takes_out and "out" in kwargs:
                return to_out(call, kwargs.pop("out"), args, kwargs)
            signature.check(args, kwargs)
        out = function(*args, **kwargs)
        return out if grad_fn is None else named_as(out, grad_fn)

    return call  # type: ignore[return-value]


def to_out(function: Any, out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """What an operation gives, written into `out`; a type to compute in may be that of `out`."""
    if out is None:
        return function(*args, **kwargs)  # type: ignore[no-any-return]
    typed = "dtype" in function.__annotations__ and function.__name__ not in SAME_TYPE
    if typed and isinstance(out, Tensor):
        kwargs = in_type_of(out, function.__name__, kwargs)
    given = (*args, *kwargs.values())
    name: str = function.__name__
    found: Tensor = into(name, out, given, lambda: function(*args, **kwargs))
    return found


def in_type_of(out: Tensor, name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords with the type of `out`; RuntimeError where they have another one."""
    kind = read_dtype(name, kwargs.get("dtype"))
    if kind not in (None, out.dtype):
        raise RuntimeError(f"{name}(): dtype {kind} does not match that of out, {out.dtype}")
    return {**kwargs, "dtype": out.dtype}


def with_out(function: Function) -> Function:
    """Let a function that is no operation take out=, too."""

    @functools.wraps(function)
    def call(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if out is None else to_out(function, out, args, kwargs)

    return call  # type: ignore[return-value]


def _today(
    name: str, most: int, names: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of an old form of an operation, as today's form takes them."""
    places = [place for place, each in enumerate(args) if isinstance(each, int | float)]
    places = places[: len(args) - most]
    if len(places) != len(args) - most or len(places) > len(names):
        return args, kwargs
    warnings.warn(f"This overload of {name} is deprecated", UserWarning, stacklevel=3)
    numbers = dict(zip(names, [args[place] for place in places], strict=False))
    return tuple([each for p, each in enumerate(args) if p not in places]), kwargs | numbers


def _check_number(name: str, argument: str, given: Any, position: int | None = None) -> None:
    """Raise PyTorch's TypeError for a Tensor whose gradient a number would lose."""
    if isinstance(given, Tensor) and given.requires_grad:
        where = "" if position is None else f" (position {position})"
        raise TypeError(f"{name}(): argument '{argument}'{where} must be Number, not Tensor")


def _refuse(
    function: Callable[..., Any], tensors: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raise the TypeError for what must be a Tensor, unless Python has one for this call itself."""
    if function.__name__ in _NO_ALIASES and args and not isinstance(args[0], Tensor):
        raise not_a_tensor(function.__name__, tensors[0][1], 1, args[0])
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    required = positional[: len(positional) - len(function.__defaults__ or ())]
    given = dict(zip(positional, args, strict=False)) | kwargs
    known = code.co_flags & _OPEN_ENDED or (
        len(args) <= len(positional) and given.keys() <= {*positional, *named}
    )
    if known and given.keys() >= set(required):
        for position, name in tensors:
            if not isinstance(given[name], Tensor):
                raise not_a_tensor(function.__name__, name, position + 1, given[name])


# Tensors and numbers


def not_a_tensor(name: str, argument: str, position: int, given: Any) -> TypeError:
    """PyTorch's error for an argument that must be a Tensor."""
    return TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
        f"not {type(given).__name__}"
    )


def check_tensors(name: str, **arguments: Any) -> None:
    """Raise PyTorch's TypeError for the first of `arguments` that is not a Tensor."""
    for position, (argument, given) in enumerate(arguments.items(), 1):
        if not isinstance(given, Tensor):
            raise not_a_tensor(name, argument, position, given)


def check_constant(function: str, **inputs: Tensor | None) -> None:
    """Raise PyTorch's RuntimeError for an input that requires a gradient, and gets none."""
    for name, given in inputs.items():
        if given is not None and state.grad_enabled and given.requires_grad:
            raise RuntimeError(
                f"The function '{function}' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True."
            )


def check_elements(tensors: Sequence[Any], argument: int = 0) -> None:
    """Raise PyTorch's TypeError for the first of a sequence that is not a Tensor."""
    for number, given in enumerate(tensors):
        if not isinstance(given, Tensor):
            raise TypeError(
                f"expected Tensor as element {number} in argument {argument}, "
                f"but got {type(given).__name__}"
            )


def check_some_tensor(name: str, *operands: Any) -> None:
    """Raise TypeError where none of the operands is a Tensor."""
    if not any(isinstance(operand, Tensor) for operand in operands):
        given = ", ".join(type(operand).__name__ for operand in operands)
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({given}), but expected "
            "a Tensor and a Tensor or a number"
        )


_CPP_NAMES = {
    dtypes.uint8: "uint8_t",
    dtypes.int8: "int8_t",
    dtypes.int16: "int16_t",
    dtypes.int32: "int",
    dtypes.int64: "int64_t",
    dtypes.float16: "at::Half",
    dtypes.bfloat16: "at::BFloat16",
    dtypes.float32: "float",
    dtypes.float64: "double",
}


_PLAIN, _SMALL = (float, int), 60000
"""Less than what the narrowest floating-point type holds."""


def check_number_fits(value: Any, kind: dtypes.dtype, name: str | None = None) -> None:
    """RuntimeError unless a number lies within the limits of `kind`, called `name` if it fails.

    A fraction may be lost; a negative integer may wrap around in an unsigned type.
    """
    if value.__class__ in _PLAIN and kind.is_floating_point and -_SMALL < value < _SMALL:
        return
    number = value._array.item() if isinstance(value, Tensor) else value
    if isinstance(number, int) and number >= 2**64:
        raise OverflowError("int too big to convert")
    if isinstance(number, int) and number < -(2**63):
        raise ValueError("Overflow when unpacking long long")
    if kind is dtypes.bool or (kind.is_floating_point and not math.isfinite(number)):
        return
    low, high = limits(kind)
    if isinstance(number, int) and not kind.is_signed:
        low = -high
    if not low <= number <= high:
        raise RuntimeError(
            f"value cannot be converted to type {name or _CPP_NAMES[kind]} without overflow"
        )


@functools.cache
def limits(kind: dtypes.dtype) -> tuple[dtypes.Number, dtypes.Number]:
    """The smallest and the largest number of a type."""
    info = dtypes.finfo(kind) if kind.is_floating_point else dtypes.iinfo(kind)
    return info.min, info.max


def check_fill_value(name: str, position: int, value: Any) -> None:
    """Raise PyTorch's error for a value to fill with that is neither a number nor a 0-d tensor."""
    if isinstance(value, Tensor) and value._array.ndim:
        raise RuntimeError(
            f"{name}_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    if not isinstance(value, Tensor | bool | int | float | np.generic):
        raise TypeError(
            f"{name}(): argument 'value' (position {position}) must be Tensor or Number, not "
            f"{type(value).__name__}"
        )


def not_implemented(name: str, kind: np.dtype[Any]) -> NotImplementedError:
    """PyTorch's error for an operation that has no loop for a type."""
    legacy_name = dtypes.from_numpy_dtype(kind).legacy_name
    return NotImplementedError(f"\"{name}\" not implemented for '{legacy_name}'")


def check_floating(name: str, array: np.ndarray[Any, Any]) -> None:
    """Raise PyTorch's NotImplementedError for integers and bools."""
    if array.dtype.kind not in dtypes.FLOATS:
        raise not_implemented(name, array.dtype)


# Dimensions


def read_dim(dim: Any, ndim: int) -> int:
    """`dim` counted from the front; IndexError when `ndim` dimensions have no such one."""
    if dim.__class__ is int and -ndim <= dim < ndim:
        return dim % ndim
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__}")
    number = operator.index(dim)
    span = max(ndim, 1)
    if not -span <= number < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], "
            f"but got {number})"
        )
    return number % span


_ALL_DIMS = [tuple(range(ndim)) for ndim in range(5)]


def read_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim` names, in its order: all for None or (), one for an int."""
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return _ALL_DIMS[ndim] if ndim < 5 else tuple(range(ndim))
    given: Iterable[Any] = dim if isinstance(dim, tuple | list) else (dim,)
    dims = tuple(read_dim(each, ndim) for each in given)
    for each in dims:
        if dims.count(each) > 1:
            raise RuntimeError(f"dim {each} appears multiple times in the list of dims")
    return dims if ndim else ()


# Sizes

_INT, _MOST_OF_ONE = {int}, 2**20
_MOST = 2**60
"""More elements than there can be addresses for."""


def read_shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as f(2, 3), f((2, 3)) or f([2, 3])."""
    if set(map(type, sizes)) == _INT:
        return sizes
    if len(sizes) == 1 and not isinstance(sizes[0], int) and not isinstance(sizes[0], Tensor):
        sizes = tuple(sizes[0])
    try:
        return tuple([operator.index(size) for size in sizes])
    except TypeError:
        wrong = next(type(size).__name__ for size in sizes if not hasattr(size, "__index__"))
        raise TypeError(f"a shape takes integers, not {wrong}") from None


def _given_sizes(
    name: str, keyword: str, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, ...]:
    """What was given one by one, or by `keyword`; TypeError for other keywords, or for nothing."""
    if not given and keyword in named:
        given = (named.pop(keyword),)
    for unknown in named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{unknown}'")
    if not given:
        raise TypeError(f'{name}() missing 1 required positional arguments: "{keyword}"')
    return given


def read_sizes(
    name: str, keyword: str, given: tuple[Any, ...], named: dict[str, Any]
) -> tuple[int, ...]:
    """Sizes given one by one, as a sequence, or by their `keyword`; TypeError for anything else."""
    if given and not named:
        for size in given:
            if size.__class__ is not int:
                break
        else:
            return given
    return read_shape(_given_sizes(name, keyword, given, named))


def read_size(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The size of a tensor to be made: f(2, 3), f((2, 3)), f(size=(2, 3)).

    Raises TypeError for what is not integers, RuntimeError for a negative length.
    """
    sizes = given[0] if len(given) == 1 and given[0].__class__ is tuple else given
    if not named and set(map(type, sizes)) == _INT and 0 <= min(sizes) <= max(sizes) < _MOST_OF_ONE:
        return sizes
    given = _given_sizes(name, "size", given, named)
    size = given[0] if len(given) == 1 and isinstance(given[0], tuple | list) else given
    lengths = []
    for position, length in enumerate(size, 1):
        kind = type(length).__name__
        if isinstance(length, tuple | list):
            raise TypeError(f"{name}() takes 1 positional argument but {len(given)} were given")
        if not is_integer(length) and size is given:
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not {kind}"
            )
        if not is_integer(length):
            raise unpacking_failed(name, position, f"type must be tuple of ints,but got {kind}")
        if not -(2**63) <= operator.index(length) < 2**63:
            raise unpacking_failed(name, position, "Overflow when unpacking long long")
        lengths.append(operator.index(length))
    if name == "zeros" and min(lengths, default=0) < 0:
        raise RuntimeError("zeros: Dimension size must be non-negative.")
    return not_negative(lengths)


def not_negative(lengths: Sequence[int]) -> tuple[int, ...]:
    """The lengths; PyTorch's RuntimeError for a negative one, or for more than memory can have."""
    for length in lengths:
        if length < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {length}: {list(lengths)}"
            )
    if math.prod(lengths) >= _MOST:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(lengths)}")
    if len(lengths) > 64:
        raise NotImplementedError(
            f"only tensors with up to 64 dims are supported, not with {len(lengths)}"
        )
    return tuple(lengths)


def unpacking_failed(name: str, position: int, why: str) -> TypeError:
    """PyTorch's error for a size with an element that is no length."""
    return TypeError(
        f"{name}(): argument 'size' failed to unpack the object at pos {position} with error "
        f'"{why}"'
    )


def is_integer(value: Any) -> bool:
    """Whether PyTorch takes `value` for an int: a tensor of one integer counts, a bool does not."""
    if isinstance(value, Tensor):
        return value._array.size == 1 and value._array.dtype.kind in "iu"
    return not isinstance(value, bool) and hasattr(value, "__index__")


# Types

PYTHON_TYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool}
"""What Python's own types stand for, where PyTorch takes them."""


def read_dtype(name: str, given: Any) -> dtypes.dtype | None:
    """The dtype that `given` names, None for None; TypeError when it is no type."""
    if given is None or isinstance(given, dtypes.dtype):
        return given
    if isinstance(given, type) and given in PYTHON_TYPES:
        return PYTHON_TYPES[given]
    raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(given).__name__}")


def read_legacy_type(given: Any) -> dtypes.dtype:
    """The dtype that a name such as "torch.FloatTensor", or the class of that name, stands for."""
    if isinstance(given, dtypes.dtype):
        return given
    if given is TENSOR_TYPE[0]:
        return dtypes.get_default_dtype()
    named = {f"torch.{kind.legacy_name}Tensor": kind for kind in dtypes._ALL}
    name = given if isinstance(given, str) else f"torch.{getattr(given, '__name__', given)}"
    if reading.cuda_as_cpu:
        name = name.replace("torch.cuda.", "torch.")
    if name not in named:
        raise ValueError(f"invalid type: '{getattr(given, '__name__', given)}'")
    return named[name]


def set_default_tensor_type(t: Any) -> None:
    """`set_default_dtype` by an old name of a type: torch.DoubleTensor, "torch.FloatTensor"."""
    warnings.warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives.",
        stacklevel=2,
    )
    dtypes.set_default_dtype(read_legacy_type(t))


# Results with names, as those of torch.return_types


class ValuesAndIndices(NamedTuple):
    """What max, sort and topk return: the values found, and their indices."""

    values: Tensor
    indices: Tensor


class MinAndMax(NamedTuple):
    """What aminmax returns."""

    min: Tensor
    max: Tensor


@functools.cache
def _return_type(name: str, fields: type[Any]) -> type[Any]:
    def representation(pair: Any) -> str:
        lines = [f"{field}={value!r}" for field, value in pair._asdict().items()]
        return f"torch.return_types.{name}(\n" + ",\n".join(lines) + ")"

    return type(name, (fields,), {"__repr__": representation, "__slots__": ()})


def named_result(name: str, values: Tensor, indices: Tensor) -> ValuesAndIndices:
    """The pair that the operation `name` returns; it prints and unpacks as PyTorch's does."""
    found: ValuesAndIndices = _return_type(name, ValuesAndIndices)(values, indices)
    return found


def min_and_max(low: Tensor, high: Tensor) -> MinAndMax:
    """The pair that `aminmax` returns."""
    pair: MinAndMax = _return_type("aminmax", MinAndMax)(low, high)
    return pair
