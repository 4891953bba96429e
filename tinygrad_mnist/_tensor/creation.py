"""Making tensors: from data, from arrays, and filled with one number."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.device import check_device
from tinygrad_mnist.engine.record import OBSERVERS, Array, TensorBase, report, wrap
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.ops import casting
from tinygrad_mnist.ops.arguments import check_tensors

from .nested_data import carried, read_data
from .scalars import element, read_number, type_name
from .size_arguments import read_size
from .type_arguments import read_dtype


def _made(array: Array) -> Tensor:
    """A tensor of numbers that no operation computed."""
    return wrap(casting.made(array))


def _shared(array: Array) -> Tensor:
    """A tensor of numbers that an array of NumPy's holds, of which an observer is told."""
    made = wrap(array)
    if OBSERVERS:
        report(casting.outside, (), {}, made)
    return made


def finish(array: Array, requires_grad: bool, constant: bool = True) -> Tensor:
    """The tensor that holds `array`; RuntimeError if it cannot require the gradient asked for.

    `constant`: its numbers came from Python, not from another array.
    """
    made = _made(array) if constant else _shared(array)
    if not requires_grad:
        return made
    if array.dtype.kind != "f":
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return made.requires_grad_()


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor that holds a copy of `data`: numbers, nested sequences, an array or a tensor.

    Without `dtype`: bool, int64, or the default type for Python numbers, an array's own type
    otherwise. Raises ValueError for ragged sequences, TypeError or RuntimeError for what is not
    numbers.

    >>> import tinygrad_mnist as torch
    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    check_device(device)
    if isinstance(data, TensorBase):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    array = read_data(data, read_dtype("tensor", dtype))
    given = data._array if isinstance(data, TensorBase) else data
    shared = isinstance(given, np.ndarray) and np.may_share_memory(array, given)
    own = array.copy(order="K") if shared else array
    return finish(own, requires_grad, constant=not isinstance(given, np.ndarray))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where it is a tensor or an array of the type already.

    >>> import tinygrad_mnist as torch
    >>> torch.as_tensor([1, 2])
    tensor([1, 2])
    """
    check_device(device)
    kind = read_dtype("as_tensor", dtype)
    if isinstance(data, TensorBase):
        return data if kind is None else data.to(kind)  # type: ignore[attr-defined]
    made = read_data(data, kind)
    return _shared(made) if isinstance(data, np.ndarray) else _made(made)


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """`as_tensor`, or with copy=True always a copy; the result requires a gradient if asked to.

    Where nobody says, a tensor stays with its gradients. Raises ValueError with copy=False where
    a copy is needed.
    """
    made = as_tensor(obj, dtype, device)
    given = getattr(obj, "_array", obj)
    shares = isinstance(given, np.ndarray) and np.may_share_memory(given, made._array)
    if copy is False and not shares:
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


def from_numpy(ndarray: Array) -> Tensor:
    """A tensor that shares the memory of `ndarray`: a change in one is seen in the other.

    Raises TypeError for what is not an array or has a type that is not carried, ValueError for
    negative strides.

    >>> import numpy as np
    >>> import tinygrad_mnist as torch
    >>> torch.from_numpy(np.arange(3.0))
    tensor([0., 1., 2.], dtype=torch.float64)
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type_name(ndarray)})")
    return _shared(carried(ndarray))


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A tensor of one dimension on the memory of `buffer`, which is shared.

    `count` numbers are read from byte `offset` on; negative: as many as there are. Raises
    ValueError for what has no buffer, or where these bytes are not in it, and RuntimeError for
    memory with gaps.

    >>> import tinygrad_mnist as torch
    >>> torch.frombuffer(bytearray([1, 2, 3]), dtype=torch.uint8, offset=1)
    tensor([2, 3], dtype=torch.uint8)
    """
    kind = read_dtype("frombuffer", dtype)
    if kind is None:
        raise TypeError("frombuffer(): argument 'dtype' must be torch.dtype, not None")
    try:
        memory = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    if not memory.c_contiguous:
        raise RuntimeError("could not retrieve buffer from object")
    _check_range(memory.nbytes, kind.numpy.itemsize, count, offset)
    if memory.readonly:
        warnings.warn(
            "The given buffer is not writable: the tensor cannot be changed in place. Copy the "
            "buffer, for example with bytearray(), to get one that can.",
            UserWarning,
            stacklevel=2,
        )
    return finish(np.frombuffer(buffer, kind.numpy, max(count, -1), offset), requires_grad)


def _check_range(length: int, size: int, count: int, offset: int) -> None:
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


def scalar_tensor(s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
                  requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The number `s` as a tensor without dimensions, of the default type unless one is given."""
    return _filled((), s, dtype, device, requires_grad, "scalar_tensor")


def _filled(
    shape: tuple[int, ...], value: Any, dtype: Any, device: Any, requires_grad: bool, name: str
) -> Tensor:
    check_device(device)
    kind = read_dtype(name, dtype) or dtypes.get_default_dtype()
    if value == 0:
        return finish(np.zeros(shape, kind.numpy), requires_grad)
    return finish(np.full(shape, element(value, kind), kind.numpy), requires_grad)


def refuse_out(name: str, out: Any) -> None:
    """NotImplementedError for out=, with what to write instead."""
    if out is not None:
        raise NotImplementedError(f"{name}(out=) is not supported: assign the result")


def zeros(*size: Any, out: None = None, dtype: Any = None, layout: Any = None,
          device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
          **named: Any) -> Tensor:  # fmt: skip
    """Zeros in the shape `size`, given as numbers or as one tuple.

    >>> import tinygrad_mnist as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    refuse_out("zeros", out)
    return _filled(read_size("zeros", size, named), 0, dtype, device, requires_grad, "zeros")


def ones(*size: Any, out: None = None, dtype: Any = None, layout: Any = None,
         device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
         **named: Any) -> Tensor:  # fmt: skip
    """Ones in the shape `size`.

    >>> import tinygrad_mnist as torch
    >>> torch.ones(2)
    tensor([1., 1.])
    """
    refuse_out("ones", out)
    return _filled(read_size("ones", size, named), 1, dtype, device, requires_grad, "ones")


def empty(*size: Any, out: None = None, dtype: Any = None, layout: Any = None, device: Any = None,
          pin_memory: bool = False, requires_grad: bool = False, memory_format: Any = None,
          **named: Any) -> Tensor:  # fmt: skip
    """A tensor to be filled; here it holds zeros, so that nothing depends on chance."""
    refuse_out("empty", out)
    return _filled(read_size("empty", size, named), 0, dtype, device, requires_grad, "empty")


def full(size: Any, fill_value: Any, *, out: None = None, dtype: Any = None, layout: Any = None,
         device: Any = None, pin_memory: bool = False,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`fill_value` in the shape `size`; the type is that of the number unless given.

    >>> import tinygrad_mnist as torch
    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    refuse_out("full", out)
    if isinstance(size, int):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not int")
    shape = read_size("full", (size,), {})
    value = read_number("full", "fill_value", 2, fill_value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise OverflowError("int too big to convert")
    kind = dtypes.of_number(value) if dtype is None else dtype
    return _filled(shape, value, kind, device, requires_grad, "full")


def _like(
    name: str, input: Any, value: Any, dtype: Any, device: Any, requires_grad: bool
) -> Tensor:
    check_tensors(name, input=input)
    kind = input.dtype if dtype is None else dtype
    made = _filled(input._array.shape, value, kind, device, requires_grad, name)
    if not input._array.flags.c_contiguous:
        alike = np.full_like(input._array, value, made._array.dtype, order="K")
        made._array = casting.made(alike)
    return made


def zeros_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Zeros in the shape and type of `input`."""
    return _like("zeros_like", input, 0, dtype, device, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
              requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """Ones in the shape and type of `input`."""
    return _like("ones_like", input, 1, dtype, device, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None,
               requires_grad: bool = False, memory_format: Any = None) -> Tensor:  # fmt: skip
    """A tensor to be filled, in the shape and type of `input`."""
    return _like("empty_like", input, 0, dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None,
              device: Any = None, requires_grad: bool = False,
              memory_format: Any = None) -> Tensor:  # fmt: skip
    """`fill_value` in the shape and type of `input`."""
    value = read_number("full_like", "fill_value", 2, fill_value)
    return _like("full_like", input, value, dtype, device, requires_grad)


def eye(n: int, m: int | None = None, *, out: None = None, dtype: Any = None, layout: Any = None,
        device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones on the diagonal of an n × m matrix (m = n unless given), zeros elsewhere.

    >>> import tinygrad_mnist as torch
    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    refuse_out("eye", out)
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
    return finish(np.eye(n, m, dtype=kind.numpy), requires_grad)
