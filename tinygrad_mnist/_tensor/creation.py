"""Making tensors: from data, from arrays, filled with a number, evenly spaced."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.observer import OBSERVERS, detached, from_outside, note_constant, report
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import (
    Device,
    Dims,
    DType,
    Layout,
    MemoryFormat,
    Number,
    Operand,
    Options,
)
from tinygrad_mnist.kernels import elementwise
from tinygrad_mnist.ops.arguments import (
    check_number_fits,
    check_tensors,
    not_implemented,
    not_negative,
    read_dtype,
    read_size,
    to_out,
)
from tinygrad_mnist.ops.indexing import getitem

from .python_data import carried, converted, element, read_data, read_number, type_name

# From data, from arrays, filled with one number


def _made(array: Array) -> Tensor:
    """A tensor of numbers that no operation computed."""
    return wrap(note_constant(array))


def _shared(array: Array) -> Tensor:
    """A tensor of numbers that an array of NumPy's holds, of which an observer is told."""
    made = wrap(array)
    if OBSERVERS:
        report(from_outside, (), {}, made)
    return made


def finish(array: Array, requires_grad: bool, constant: bool = True) -> Tensor:
    """The tensor that holds `array`; RuntimeError if it cannot require the gradient asked for.

    `constant`: its numbers came from Python, not from another array.
    """
    made = _made(array) if constant else _shared(array)
    if not requires_grad:
        return made
    if array.dtype.kind not in dtypes.FLOATS:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return made.requires_grad_()


def tensor(
    data: Any,
    *,
    dtype: DType = None,
    device: Device = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor that holds a copy of `data`: numbers, nested sequences, an array or a tensor.

    Without `dtype`: bool, int64, or the default type for Python numbers, an array's own type
    otherwise. Raises ValueError for ragged sequences, TypeError or RuntimeError for what is not
    numbers.

    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    check_device(device)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    array = read_data(data, read_dtype("tensor", dtype))
    given = data._array if isinstance(data, Tensor) else data
    shared = isinstance(given, np.ndarray) and np.may_share_memory(array, given)
    own = array.copy(order="K") if shared else array
    made = finish(own, requires_grad, constant=not isinstance(given, np.ndarray))
    if OBSERVERS and isinstance(data, Tensor):
        report(detached, (data,), {"by": "torch.tensor"}, made)
    return made


def as_tensor(data: Any, dtype: DType = None, device: Device = None) -> Tensor:
    """`data` as a tensor, without a copy where it is a tensor or an array of the type already.

    >>> torch.as_tensor([1, 2])
    tensor([1, 2])
    """
    check_device(device)
    kind = read_dtype("as_tensor", dtype)
    if isinstance(data, Tensor):
        return data if kind is None else data.to(kind)
    made = read_data(data, kind)
    return _shared(made) if isinstance(data, np.ndarray) else _made(made)


def asarray(
    obj: Any,
    *,
    dtype: DType = None,
    device: Device = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """`as_tensor`, or with copy=True always a copy; the result requires a gradient if asked to.

    The bytes of a bytearray, memoryview or array.array are shared, as `frombuffer` shares them.
    Where nobody says, a tensor stays with its gradients. Raises ValueError with copy=False where
    a copy is needed.
    """
    given = getattr(obj, "_array", obj)
    shares = not isinstance(given, np.ndarray | np.generic) and _has_buffer(given)
    if shares:
        made = frombuffer(obj, dtype=read_dtype("asarray", dtype) or dtypes.get_default_dtype())
    else:
        made = as_tensor(obj, dtype, device)
        shares = isinstance(given, np.ndarray) and np.may_share_memory(given, made._array)
    if copy is False and not shares and not isinstance(given, np.generic):
        if isinstance(given, np.ndarray):
            types = f"with dtype '{given.dtype}' into dtype '{made._array.dtype}'"
            raise ValueError(f"can't alias tensor {types}")
        raise ValueError("can't alias arbitrary sequence or convert without a copy")
    if made._record is not None and requires_grad is None:
        warnings.warn(
            "torch.asarray: unspecified requires_grad now defaults to obj.requires_grad instead of "
            "False. Pass requires_grad=False explicitly to get the old behavior and silence this "
            "warning.",
            UserWarning,
            stacklevel=2,
        )
    elif made._record is not None or (requires_grad and made is obj):
        made = made.detach()
    if copy and shares:
        made = made.clone()
    return finish(made._array, requires_grad) if requires_grad else made


def _has_buffer(given: Any) -> bool:
    try:
        memoryview(given)
    except TypeError:
        return False
    return True


def from_numpy(ndarray: Array) -> Tensor:
    """A tensor that shares the memory of `ndarray`: a change in one is seen in the other.

    Raises TypeError for what is not an array or has a type that is not carried, ValueError for
    negative strides.

    >>> import numpy as np
    >>> torch.from_numpy(np.arange(3.0))
    tensor([0., 1., 2.], dtype=torch.float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type_name(ndarray)})")
    return _shared(carried(ndarray))


def frombuffer(
    buffer: bytes | bytearray | memoryview | Array,
    *,
    dtype: dtypes.dtype,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of one dimension on the memory of `buffer`, which is shared.

    `count` numbers are read from byte `offset` on; negative: as many as there are. Raises
    ValueError for what has no buffer, or where these bytes are not in it, and RuntimeError for
    memory with gaps.

    >>> torch.frombuffer(bytearray([1, 2, 3]), dtype=torch.uint8, offset=1)
    tensor([2, 3], dtype=torch.uint8)
    """
    kind = read_dtype("frombuffer", dtype)
    if kind is None:
        raise TypeError("frombuffer(): argument 'dtype' must be torch.dtype, not None")
    try:
        memory = memoryview(buffer)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if not memory.c_contiguous:
        raise RuntimeError("could not retrieve buffer from object")
    _check_stretch(memory.nbytes, kind.numpy.itemsize, count, offset)
    if memory.readonly:
        warnings.warn(
            "The given buffer is not writable: the tensor cannot be changed in place. Copy the "
            "buffer, for example with bytearray(), to get one that can.",
            UserWarning,
            stacklevel=2,
        )
    return finish(np.frombuffer(buffer, kind.numpy, max(count, -1), offset), requires_grad)


def _check_stretch(length: int, size: int, count: int, offset: int) -> None:
    """ValueError unless `count` numbers of `size` bytes from `offset` on are in `length` bytes."""
    if length == 0 or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({length} bytes) minus 1"
        )
    rest = length - offset
    if count < 0 and rest % size:
        raise ValueError(
            f"buffer length ({rest} bytes) after offset ({offset} bytes) must be a multiple of "
            f"element size ({size})"
        )
    if count * size > rest:
        raise ValueError(
            f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({length} bytes)"
        )


def scalar_tensor(s: Number, *, dtype: DType = None, layout: Layout = None, device: Device = None,
                  requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The number `s` as a tensor without dimensions, of the default type unless one is given."""
    return _filled((), s, dtype, device, requires_grad, "scalar_tensor")


def _filled(
    shape: tuple[int, ...], value: Any, dtype: Any, device: Any, requires_grad: bool, name: str
) -> Tensor:
    check_device(device)
    kind = read_dtype(name, dtype) or dtypes.get_default_dtype()
    try:
        if value == 0:
            return finish(np.zeros(shape, kind.numpy), requires_grad)
        array = np.empty(shape, kind.numpy)
        array.fill(element(value, kind))
        return finish(array, requires_grad)
    except MemoryError as error:
        raise RuntimeError(f"{name}(): cannot allocate memory for the result: {error}") from None


def zeros(*size: Dims, out: Tensor | None = None, dtype: DType = None, layout: Layout = None,
          device: Device = None, pin_memory: bool = False, requires_grad: bool = False,
          **named: Sequence[int]) -> Tensor:  # fmt: skip
    """Zeros in the shape `size`, given as numbers or as one tuple.

    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    if out is not None:
        return to_out(zeros, out, size, {**named, "dtype": dtype})
    return _filled(read_size("zeros", size, named), 0, dtype, device, requires_grad, "zeros")


def ones(*size: Dims, out: Tensor | None = None, dtype: DType = None, layout: Layout = None,
         device: Device = None, pin_memory: bool = False, requires_grad: bool = False,
         **named: Sequence[int]) -> Tensor:  # fmt: skip
    """Ones in the shape `size`.

    >>> torch.ones(2)
    tensor([1., 1.])
    """
    if out is not None:
        return to_out(ones, out, size, {**named, "dtype": dtype})
    return _filled(read_size("ones", size, named), 1, dtype, device, requires_grad, "ones")


def empty(
    *size: Dims,
    out: Tensor | None = None,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    memory_format: MemoryFormat = None,
    **named: Sequence[int],
) -> Tensor:
    """A tensor to be filled; here it holds zeros, so that nothing depends on chance."""
    if out is not None:
        return to_out(empty, out, size, {**named, "dtype": dtype})
    return _filled(read_size("empty", size, named), 0, dtype, device, requires_grad, "empty")


def full(
    size: Sequence[int],
    fill_value: Number,
    *,
    out: Tensor | None = None,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """`fill_value` in the shape `size`; the type is that of the number unless given.

    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    if out is not None:
        return to_out(full, out, (size, fill_value), {"dtype": dtype})
    if isinstance(size, int):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not int")
    shape = read_size("full", (size,), {})
    value = read_number("full", "fill_value", 2, fill_value)
    kind = dtypes.of_number(value) if dtype is None else dtype
    check_number_fits(value, kind)
    return _filled(shape, value, kind, device, requires_grad, "full")


def _like(
    name: str, input: Any, value: Any, dtype: Any, device: Any, requires_grad: bool
) -> Tensor:
    check_tensors(name, input=input)
    kind = input.dtype if dtype is None else dtype
    made = _filled(input._array.shape, value, kind, device, requires_grad, name)
    if not input._array.flags.c_contiguous:
        alike = np.full_like(input._array, value, made._array.dtype, order="K")
        made._array = note_constant(alike)
    return made


def zeros_like(
    input: Tensor,
    *,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = None,
) -> Tensor:
    """Zeros in the shape and type of `input`."""
    return _like("zeros_like", input, 0, dtype, device, requires_grad)


def ones_like(
    input: Tensor,
    *,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = None,
) -> Tensor:
    """Ones in the shape and type of `input`."""
    return _like("ones_like", input, 1, dtype, device, requires_grad)


def empty_like(
    input: Tensor,
    *,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = None,
) -> Tensor:
    """A tensor to be filled, in the shape and type of `input`."""
    return _like("empty_like", input, 0, dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Number, *, dtype: DType = None, layout: Layout = None,
              device: Device = None, requires_grad: bool = False,
              memory_format: MemoryFormat = None) -> Tensor:  # fmt: skip
    """`fill_value` in the shape and type of `input`."""
    value = read_number("full_like", "fill_value", 2, fill_value)
    return _like("full_like", input, value, dtype, device, requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones on the diagonal of an n × m matrix (m = n unless given), zeros elsewhere.

    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if out is not None:
        return to_out(eye, out, (n, m), {"dtype": dtype})
    check_device(device)
    lengths = {"n": n, "m": n if m is None else m}
    for position, (name, length) in enumerate(lengths.items(), 1):
        if not hasattr(length, "__index__") or isinstance(length, bool):
            raise TypeError(
                f"eye(): argument '{name}' (position {position}) must be int, "
                f"not {type(length).__name__}"
            )
        if length < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {length}")
    kind = read_dtype("eye", dtype) or dtypes.get_default_dtype()
    rows, columns = not_negative(tuple(lengths.values()))
    array = np.zeros((rows, columns), kind.numpy)
    array.reshape(-1)[: columns * columns : columns + 1] = 1
    return finish(array, requires_grad)


# Evenly spaced

_NAMES, _USUAL, _PLAIN = ("start", "end", "step"), 2**31, (int, float)


def _bounds(given: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """start, end and step of arange(end), arange(start, end), arange(start, end, step)."""
    names = ("end",) if len(given) == 1 and named["end"] is None else _NAMES
    if len(given) > 3:
        raise TypeError(
            f"arange() takes from 1 to 3 positional arguments but {len(given)} were given"
        )
    found = {"start": 0, "step": 1}
    found.update({name: value for name, value in named.items() if value is not None})
    for name, value in zip(names, given, strict=False):
        if named[name] is not None:
            raise TypeError(f"arange() got multiple values for argument '{name}'")
        found[name] = value
    if "end" not in found:
        raise TypeError("arange(): give the end, or start and end, as in arange(0, 10)")
    place = {name: i for i, name in enumerate(names, 1)}
    return [read_number("arange", name, place.get(name, 1), found[name]) for name in _NAMES]


def arange(
    *bounds: Number,
    start: Number | None = None,
    end: Number | None = None,
    step: Number | None = None,
    out: Tensor | None = None,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from `start` (0) up to and without `end`, `step` (1) apart.

    Given are the end alone, start and end, or all three. The result is int64 if all are integers,
    else of the default type, unless `dtype` is given. Raises RuntimeError when `step` is 0 or leads
    away from `end`.

    >>> torch.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    if out is not None:
        return to_out(
            arange, out, bounds, {"start": start, "end": end, "step": step, "dtype": dtype}
        )
    check_device(device)
    alone = len(bounds) == 1 and {start, end, step, dtype} == {None}
    if alone and bounds[0].__class__ is int and 0 <= bounds[0] < _USUAL:
        return finish(np.arange(bounds[0], dtype=np.int64), requires_grad)
    first, last, gap = _bounds(bounds, {"start": start, "end": end, "step": step})
    integers = all(isinstance(bound, int) for bound in (first, last, gap))
    kind = read_dtype("arange", dtype)
    if kind is dtypes.bool:
        raise not_implemented("arange_cpu", kind.numpy)
    if kind is None:
        kind = dtypes.int64 if integers else dtypes.get_default_dtype()
    elif kind is dtypes.int64 and math.isfinite(first) and math.isfinite(last):
        first, last, gap = int(first), int(last), int(gap)
    count = _count(first, last, gap)
    if kind.is_floating_point:
        return finish(state.quietly(_counted, first, gap, count, kind), requires_grad)
    steps = np.arange(count, dtype=np.int64)
    return finish(converted(int(first) + steps * int(gap), kind), requires_grad)


def range(
    start: Number,
    end: Number,
    step: Number = 1,
    *,
    out: Tensor | None = None,
    dtype: DType = None,
    layout: Layout = None,
    device: Device = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from `start` up to and with `end`, `step` apart, of the default type.

    PyTorch's older `arange`, of which it warns.

    >>> torch.range(1, 3)
    tensor([1., 2., 3.])
    """
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=2,
    )
    if out is not None:
        return to_out(range, out, (start, end, step), {"dtype": dtype})
    check_device(device)
    first, last, gap = (float(each) for each in (start, end, step))
    _count(first, last, gap)
    kind = read_dtype("range", dtype) or dtypes.get_default_dtype()
    count = math.floor((last - first) / gap) + 1
    return finish(converted(first + gap * np.arange(count), kind), requires_grad)


def _count(first: Any, last: Any, gap: Any) -> int:
    """How many numbers there are from `first` up to `last`; RuntimeError where PyTorch has one."""
    if gap == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(first) and math.isfinite(last)):
        raise RuntimeError(f"unsupported range: {first} -> {last}")
    if (last - first) * gap < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    integers = all(isinstance(bound, int) for bound in (first, last, gap))
    if integers and max(abs(first), abs(last)) >= 2**63:
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    count = int(-((first - last) // gap)) if integers else math.ceil((last - first) / gap)
    if count * 8 >= 2**63:
        raise RuntimeError("invalid size, possible overflow?")
    return count


def _counted(first: float, gap: float, count: int, kind: dtypes.dtype) -> Any:
    """`count` numbers from `first`, `gap` apart, rounded as PyTorch's loop over vectors does.

    It takes two vectors of 32 bytes at a time, counts from the (rounded) first number of each, and
    what is left over one by one.
    """
    number = kind.numpy.type
    wider: Any = np.float64 if number is np.float32 else np.longdouble
    places = np.arange(count)
    lanes = 32 // kind.itemsize
    vectors = count - count % (2 * lanes)
    starts = places[:vectors] // lanes * lanes
    bases: Array = np.full(count, first, wider)
    bases[:vectors] = (wider(first) + wider(gap) * starts).astype(number)
    places[:vectors] -= starts
    return (bases + wider(gap) * places).astype(number)


def linspace(start: Operand, end: Operand, steps: int, *, out: Tensor | None = None,
             dtype: DType = None, layout: Layout = None, device: Device = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers evenly spaced from `start` to `end`, both included.

    Raises RuntimeError when `steps` is negative.

    >>> torch.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if out is not None:
        return to_out(linspace, out, (start, end, steps), {"dtype": dtype})
    check_device(device)
    count = _step_count("linspace", steps)
    kind = read_dtype("linspace", dtype) or dtypes.get_default_dtype()
    if kind is dtypes.bool:
        raise not_implemented("linspace_cpu", kind.numpy)
    first, last = _read_ends("linspace", start, end)
    return finish(converted(state.quietly(_spaced, first, last, count, kind), kind), requires_grad)


def logspace(start: Operand, end: Operand, steps: int, base: float = 10.0, *,
             out: Tensor | None = None, dtype: DType = None, layout: Layout = None,
             device: Device = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`base` to the powers that `linspace` gives.

    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    if out is not None:
        return to_out(logspace, out, (start, end, steps, base), {"dtype": dtype})
    check_device(device)
    count = _step_count("logspace", steps)
    kind = read_dtype("logspace", dtype) or dtypes.get_default_dtype()
    first, last = _read_ends("logspace", start, end)
    exponents = state.quietly(_spaced, first, last, count, kind)
    numbers = state.quietly(np.power, exponents.dtype.type(base), exponents)
    return finish(converted(numbers, kind), requires_grad)


def _read_ends(name: str, start: Any, end: Any) -> tuple[Any, Any]:
    """The two ends as numbers; RuntimeError for a tensor that has dimensions."""
    if start.__class__ in _PLAIN and end.__class__ in _PLAIN:
        return start, end
    if any(isinstance(bound, Tensor) and bound._array.ndim for bound in (start, end)):
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got one with dimensions"
        )
    first, last = [each.detach() if isinstance(each, Tensor) else each for each in (start, end)]
    return read_number(name, "start", 1, first), read_number(name, "end", 2, last)


def _step_count(name: str, steps: Any) -> int:
    if steps.__class__ is int and 0 <= steps < 2**31:
        return steps
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise TypeError(
            f"{name}(): argument 'steps' (position 3) must be int, not {type(steps).__name__}"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return not_negative((int(steps),))[0]


def _spaced(first: float, last: float, count: int, kind: dtypes.dtype) -> Any:
    """`count` numbers from `first` to `last`, in a type; in float64 for whole numbers."""
    number: Any = kind.numpy.type
    start, end = number(first), number(last)
    if not kind.is_floating_point:
        start, end = np.float64(start), np.float64(end)
    if count == 1:
        return np.array([start])
    return elementwise.spaced(start, end, count)


# In the type of a tensor that is there


class NewTensors(Tensor):
    """`x.new_zeros(...)` and the like."""

    __slots__ = ()

    def _kind(self, dtype: DType) -> dtypes.dtype:
        return dtypes.from_numpy_dtype(self._array.dtype) if dtype is None else dtype

    def new_zeros(self, *size: Dims, dtype: DType = None, **options: Unpack[Options]) -> Tensor:
        """Zeros in the type of this tensor."""
        return zeros(*size, dtype=self._kind(dtype), **options)

    def new_ones(self, *size: Dims, dtype: DType = None, **options: Unpack[Options]) -> Tensor:
        """Ones in the type of this tensor."""
        return ones(*size, dtype=self._kind(dtype), **options)

    def new_empty(self, *size: Dims, dtype: DType = None, **options: Unpack[Options]) -> Tensor:
        """A tensor to be filled, in the type of this tensor."""
        return empty(*size, dtype=self._kind(dtype), **options)

    def new_full(
        self, size: Sequence[int], fill_value: Number, *, dtype: DType = None,
        **options: Unpack[Options],
    ) -> Tensor:  # fmt: skip
        """`fill_value` in the type of this tensor."""
        return full(size, fill_value, dtype=self._kind(dtype), **options)

    def new_tensor(self, data: Any, *, dtype: DType = None, **options: Unpack[Options]) -> Tensor:
        """`data` in the type of this tensor."""
        return tensor(data, dtype=self._kind(dtype), **options)  # type: ignore[misc]

    def new(self, *data: Any, device: Device = None) -> Tensor:
        """What the old constructor of this tensor's type makes."""
        return new_tensor(*data, kind=self._kind(None), device=device)


# The old constructors: Tensor(...), FloatTensor(...), LongTensor(...), …


def new_tensor(*data: Any, kind: dtypes.dtype | None = None, device: Device = None) -> Tensor:
    """What `Tensor(...)` makes: of lengths a tensor to be filled, of data one of type `kind`.

    A tensor is shared, not copied. Raises TypeError for data that is no sequence, and for a tensor
    of another type where `kind` is given.
    """
    check_device(device)
    wanted = kind or dtypes.get_default_dtype()
    if not data:
        return wrap(np.zeros(0, wanted.numpy))
    first = data[0]
    if len(data) == 1 and isinstance(first, Tensor):
        if device is not None:
            raise RuntimeError("Tensor(tensor, device=...) is not supported: use tensor.to(device)")
        given = dtypes.from_numpy_dtype(first._array.dtype)
        if kind is not None and given is not kind:
            raise TypeError(
                f"expected torch.{kind.legacy_name}Tensor (got torch.{given.legacy_name}Tensor)"
            )
        return getitem(first, ...)
    if isinstance(first, Size) or all(_is_length(length) for length in data):
        return empty(*data, dtype=wanted)
    if len(data) > 1 or not hasattr(first, "__len__"):
        raise TypeError(f"new(): data must be a sequence (got {type_name(first)})")
    array = read_data(first, wanted)
    return wrap(array.copy() if isinstance(first, np.ndarray) else array)


def _is_length(given: Any) -> bool:
    return isinstance(given, int | np.integer) and not isinstance(given, bool)


class _TensorKind(type):
    """The class of FloatTensor, LongTensor, …: an instance is a tensor of the type named."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance._array.dtype == cls.dtype.numpy

    def __call__(cls, *data: Any, device: Device = None) -> Tensor:
        return new_tensor(*data, kind=cls.dtype, device=device)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _kind(dtype: dtypes.dtype) -> _TensorKind:
    name = f"{dtype.legacy_name}Tensor"
    described = f"The old constructor of {dtype.name} tensors: of sizes, of data, of a tensor."
    return _TensorKind(name, (), {"dtype": dtype, "__doc__": described})


FloatTensor = _kind(dtypes.float32)
DoubleTensor = _kind(dtypes.float64)
LongTensor = _kind(dtypes.int64)
IntTensor = _kind(dtypes.int32)
ByteTensor = _kind(dtypes.uint8)
BoolTensor = _kind(dtypes.bool)
CharTensor = _kind(dtypes.int8)
ShortTensor = _kind(dtypes.int16)
HalfTensor = _kind(dtypes.float16)
BFloat16Tensor = _kind(dtypes.bfloat16)
