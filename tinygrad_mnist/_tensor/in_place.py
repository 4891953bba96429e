"""Operations that write their result into their first tensor, as `add_` and `x[i] = v` do.

Without records the array is overwritten and its version raised. A tensor that was computed is
rebound to a newer record as well: who saved the old numbers finds that the version has changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tinygrad_mnist import dtypes, kernels, names
from tinygrad_mnist.core.record import Array, state
from tinygrad_mnist.engine.calls import explain_shapes, record_call
from tinygrad_mnist.engine.memory import SHARED, elements_shared
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.node import Record, move_grad, named_as
from tinygrad_mnist.engine.observer import OBSERVERS, report
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.saved_tensors import check_inplace
from tinygrad_mnist.engine.tensor import Tensor, wrap
from tinygrad_mnist.engine.types import DType, Number, Operand
from tinygrad_mnist.engine.views import OUTDATED, current_record
from tinygrad_mnist.ops import arithmetic, casting, shapes
from tinygrad_mnist.ops.arguments import check_tensors, read_dim
from tinygrad_mnist.ops.indexing import (
    ALL,
    WHOLE,
    Key,
    index_put,
    indices_in,
    put,
    put_dtypes_differ,
    read_index,
)
from tinygrad_mnist.ops.views import rebase

from .gradients import replace_memory
from .methods import LaterMethod, parameter_names
from .python_data import element, read_number, type_name

_EXPANDED = (
    "Use of {}_ on expanded tensors is deprecated. Please clone() the tensor before performing "
    "this operation. This also applies to advanced indexing e.g. tensor[{}"
)
_ASSIGNMENTS: dict[str, Callable[..., tuple[Any, Any, str]]] = {
    "masked_fill": lambda x, mask, value: (mask.expand(x.shape), value, "mask] = scalar"),
    "index_fill": lambda x, dim, index, value: (
        (ALL,) * read_dim(dim, x.ndim) + (index,), value, "mask] = scalar",
    ),
    "index_put": lambda x, indices, values: (indices, values, "indices] = tensor"),
}  # fmt: skip
"""What may write into a tensor whose elements share memory, as assignments: the index, the value,
and PyTorch's words for it."""


_WIDE = "fd"
"""NumPy's letters for float32 and float64, in which it computes at once."""


def in_place(op: Any, target: Tensor, *others: Any, **attributes: Any) -> Tensor:
    """Write `op(target, *others)` into `target`; a non-leaf is rebound to a newer record."""
    recorded = state.grad_enabled and check_inplace(target, *others)
    if not recorded and not attributes and not OBSERVERS:
        ufunc = op.ufunc if isinstance(op, Primitive) else None
        if ufunc is not None and _at_once(ufunc, target, others):
            return target
    _check_memory(op.__name__, target._array, (*others, *attributes.values()))
    source = target
    if recorded and (backward_mode.packing or not isinstance(op, Primitive)):
        # What a hook packs, or the steps of a composed operation save, must stay as it is.
        source = wrap(casting.copied(target._array))
        source._record = current_record(target)
    result = op(source, *others, **attributes)
    if recorded:
        _rebind(target, result)
    else:
        _store(target, result)
    return target


def _at_once(ufunc: Any, target: Tensor, others: tuple[Any, ...]) -> bool:
    """Let NumPy compute straight into the array, where shapes and types need no care."""
    array = target._array
    kind = array.dtype
    if kind.char not in _WIDE:
        return False
    operands: list[Any] = [array]
    for other in others:
        if isinstance(other, Tensor):
            value = other._array
            if value.dtype is not kind:
                return False
            if array.base is not None or value.base is not None:
                check_no_partial_overlap(array, value)
            operands.append(value)
        elif other.__class__ is float or other.__class__ is int:
            operands.append(other)
        else:
            return False
    try:
        compute: Any = state.quietly
        compute(ufunc, *operands, array)
    except (TypeError, ValueError):
        return False
    target._counter[0] += 1
    return True


def _store(target: Tensor, result: Tensor) -> None:
    """Write a result into a tensor; RuntimeError where shape or type do not allow it."""
    array, found = target._array, result._array
    have, want = dtypes.from_numpy_dtype(found.dtype), dtypes.from_numpy_dtype(array.dtype)
    if not dtypes.can_cast(have, want):
        raise RuntimeError(
            f"result type {have.legacy_name} can't be cast to the desired output type "
            f"{want.legacy_name}"
        )
    _check_shape(target, result)
    state.quietly(put, writeable(array), None, found)
    target._counter[0] += 1
    if OBSERVERS:
        _report(target, result, WHOLE, None)


def _check_shape(target: Tensor, result: Tensor) -> None:
    have, want = target._array.shape, result._array.shape
    if have != want:
        raise RuntimeError(
            f"output with shape {list(have)} doesn't match the broadcast shape {list(want)}"
        )


def _rebind(target: Tensor, result: Tensor) -> None:
    """Write a result into a non-leaf, which takes over the result's record."""
    record: Record | None = result._record
    if record is None:
        _check_shape(target, result)
        write(target, result, WHOLE, None, "CopyBackwards")
        return
    saved = list(record.saved)
    if saved and saved[0] is not None and saved[0][0] is target._array:
        saved[0] = (casting.copied(target._array), [0], 0)
    _store(target, result)
    if saved and saved[-1] is not None and saved[-1][0] is result._array:
        saved[-1] = (target._array, target._counter, target._counter[0])
    record.saved = tuple(saved)
    record.dtype = target._array.dtype
    rebase(target, record)


def _report(target: Tensor, value: Any, region: Key, arrays: Key | None) -> None:
    """Tell this thread's observer of a change: an `index_put` whose result is its first input."""
    report(index_put, (target, value), {"region": region, "arrays": arrays}, target)


def write(
    target: Tensor,
    value: Any,
    region: Key,
    arrays: Key | None,
    name: str,
    overlapping: bool = False,
) -> None:
    """Write a tensor's or a number's value into elements of `target`, recorded as `name`."""
    whole = region is WHOLE
    recorded = check_inplace(target, value, through_view=not whole)
    array = target._array
    found = value._array if isinstance(value, Tensor) else value
    part = array if whole else array[region]
    if arrays is not None and not overlapping and elements_shared(part):
        warnings.warn(_EXPANDED.format("index_put", "indices] = tensor"), stacklevel=3)
        overlapping = True
    part = writeable(part, overlapping=overlapping)
    if isinstance(value, Tensor) and found.ndim:
        (check_no_partial_overlap if arrays is None else check_no_overlap)(part, found)
    if isinstance(value, Tensor) and found.dtype is not array.dtype:
        state.quietly(put, part, arrays, found)
    else:
        put(part, arrays, found)
    before = current_record(target) if recorded else None
    target._counter[0] += 1
    if recorded:
        source, after = wrap(array), wrap(array)
        source._record = before
        attributes = {"region": region, "arrays": arrays}
        record_call(index_put, (source, value), (array, found), after, attributes)
        rebase(target, named_as(after, name)._record)
    if OBSERVERS:
        _report(target, value, region, arrays)


def fill(target: Tensor, value: Operand) -> Tensor:
    """Write one number everywhere: a Python number or a 0-d tensor."""
    name = "FillBackward3"
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
    else:
        value = element(read_number("fill_", "value", 1, value), target.dtype)
        name = "FillBackward2"
    write(target, value, WHOLE, None, name, overlapping=True)
    return target


def zero(target: Tensor) -> Tensor:
    """Write 0 everywhere."""
    if OBSERVERS or check_inplace(target):
        write(target, 0, WHOLE, None, "ZeroBackward0", overlapping=True)
    else:
        writeable(target._array, overlapping=True).fill(0)
        target._counter[0] += 1
    return target


def copy(target: Tensor, other: Operand, non_blocking: bool = False) -> Tensor:
    """Write `other`, broadcast and converted to the type of `target`."""
    if isinstance(other, bool | int | float | np.generic):
        other = wrap(np.asarray(other))
    if not isinstance(other, Tensor):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}"
        )
    if other is target and not check_inplace(target):
        target._counter[0] += 1
        return target
    check_no_partial_overlap(target._array, other._array)
    have, want = other._array.shape, target._array.shape
    if have != want:
        explain_shapes((target._array, other._array))
        together = np.broadcast_shapes(have, want)
        if together != want:
            raise RuntimeError(
                f"output with shape {list(want)} doesn't match the broadcast shape {list(together)}"
            )
    write(target, other, WHOLE, None, "CopyBackwards")
    return target


def setitem(target: Tensor, index: Any, value: Any) -> None:
    """`target[index] = value` for a tensor or a number."""
    region, arrays = read_index(index, target._array.shape)
    if arrays is not None:
        _check_memory("index_put", target._array, (indices_in(index),))
    one = not isinstance(value, Tensor) or value._array.ndim == 0
    if isinstance(value, Tensor):
        value = _values_for(target, value, region, arrays)
    elif isinstance(value, bool | int | float | np.generic):
        number = read_number("__setitem__", "value", 2, value)
        if isinstance(number, int) and number >= 2**63:
            raise ValueError("Overflow when unpacking long long")
        value = element(number, target.dtype)
    else:
        raise TypeError(f"can't assign a {type_name(value)} to a {target.type()}")
    if index is False:
        return
    if region[0] is ALL and len(region) == 2:
        region = WHOLE
    name = "CopySlices"
    if region is WHOLE and arrays is not None:
        name = "IndexPutBackward0"
    elif region is WHOLE:
        name = "FillBackward3" if one and target._array.ndim else "CopyBackwards"
    write(target, value, region, arrays, name)


def _values_for(target: Tensor, value: Tensor, region: Key, arrays: Key | None) -> Tensor:
    """The values to assign, without leading dimensions of size 1.

    Raises RuntimeError where PyTorch refuses their shape, or their type beside index arrays.
    """
    shape = value._array.shape
    if arrays is not None:
        is_mask = value._array.size == 1 and len(arrays) == 1 and arrays[0].dtype == bool
        if value._array.dtype != target._array.dtype and not is_mask:
            put(casting.copied(target._array[region]), arrays, value._array)
            raise put_dtypes_differ(target, value)
    elif shape == target._array[region].shape:
        return value
    lead = next((d for d, size in enumerate(shape) if size != 1), len(shape))
    value = shapes.reshape(value, shape[lead:]) if lead else value
    return value if arrays is not None else shapes.expand(value, target._array[region].shape)


def scaled_update(target: Tensor, other: Any, alpha: Any, sign: int) -> Tensor:
    """target += sign · alpha · other: what an optimiser does to a parameter, in one pass."""
    if alpha.__class__ is int and alpha == 1:
        return in_place(arithmetic._add if sign > 0 else arithmetic._sub, target, other)
    if alpha.__class__ is float and isinstance(other, Tensor) and not OBSERVERS:
        array, change = target._array, other._array
        alike = array.dtype is change.dtype and array.shape == change.shape
        if alike and array.dtype.char in _WIDE and not check_inplace(target, other):
            check_no_partial_overlap(array, change)
            kernels.sgd_update(writeable(array), change, -sign * alpha)
            target._counter[0] += 1
            return target
    return in_place(arithmetic.add if sign > 0 else arithmetic.sub, target, other, alpha=alpha)


def become(target: Tensor, view: Tensor) -> Tensor:
    """Give a tensor the shape of a view of it, as `t_` does: the memory stays the same."""
    recorded = check_inplace(target)
    if recorded:
        record: Any = view._record
        name, _, number = record.name().rpartition("Backward")
        named_as(view, f"{name}Backward{int(number) + (3 if name == 'Squeeze' else 1)}")
        move_grad(target._record, record)
        target._record, target._array = record, view._array
    else:
        replace_memory(target, view._array)
    target._counter[0] += 1
    if target._view is not None and view._view is not None:
        base, _, _, reason = target._view
        version = target._counter[0] if recorded else OUTDATED
        target._view = (base, version, view._view[2], reason)
    return target


# What may be written where: memory that is shared inside an array, or between two


def writeable(array: Array, *, overlapping: bool = False) -> Array:
    """`array`, open for writing; RuntimeError where its elements share memory, or it is read-only.

    `overlapping` says that all elements get the same number, so that sharing does not matter.
    """
    if array.flags.writeable:
        return array
    if elements_shared(array) and not overlapping:
        raise RuntimeError(SHARED)
    opened = array.view()
    try:
        opened.flags.writeable = True
    except ValueError:
        raise RuntimeError(
            "the memory of this tensor is read-only, as is the NumPy array it was made from: "
            "clone() the tensor before changing it"
        ) from None
    return opened


def check_no_partial_overlap(array: Array, other: Array) -> None:
    """RuntimeError if some, but not all, elements that are read lie where others are written."""
    if (array.base is None and other.base is None) or other is array:
        return
    if _overlap(array, other) == "some":
        _refuse_overlap()


def check_no_overlap(array: Array, other: Array) -> None:
    """RuntimeError if elements that are read lie where others are written."""
    if other is array or _overlap(array, other) != "none":
        _refuse_overlap()


_CHECKS: dict[str, Callable[[Array, Array], None]] = dict.fromkeys(
    ["index_add", "index_copy", "index_fill", "index_put", "scatter", "scatter_add"],
    check_no_overlap,
) | {"ldexp": lambda array, other: None}
"""Operations that are stricter, or less strict, than most with what they read while they write."""


def _check_memory(name: str, array: Array, others: Iterable[Any]) -> None:
    """RuntimeError if the operation `name` must not read what lies where it writes.

    Masks of an index, in a tuple or a list, are read before.
    """
    check = _CHECKS.get(name, check_no_partial_overlap)
    for other in others:
        if isinstance(other, Tensor):
            check(array, other._array)
        elif other.__class__ is tuple or other.__class__ is list:
            indices = [part for part in other if isinstance(part, Tensor)]
            _check_memory(name, array, [part for part in indices if part._array.dtype != bool])


def _refuse_overlap() -> None:
    raise RuntimeError(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer "
        "to a single memory location. Please clone() the tensor before performing the operation."
    )


def _overlap(array: Array, other: Array) -> str:
    """How much memory two arrays share: "none", "some", "all".

    As in PyTorch, "none" where gaps or shared elements make it hard to tell: NumPy then reads
    everything before it writes.
    """
    if _owner(array) is not _owner(other) or not (array.size and other.size):
        return "none"
    if not (_is_dense(array) and _is_dense(other)):
        return "none"
    start, other_start = array.ctypes.data, other.ctypes.data
    if start == other_start and array.nbytes == other.nbytes:
        return "all" if array.strides == other.strides else "some"
    apart = start + array.nbytes <= other_start or other_start + other.nbytes <= start
    return "none" if apart else "some"


def _owner(array: Array) -> object:
    return array if array.base is None else array.base


def _is_dense(array: Array) -> bool:
    """Whether the elements fill a stretch of memory, each once, in whatever order."""
    expected = array.itemsize
    for step, size in sorted(zip(array.strides, array.shape, strict=True)):
        if size != 1:
            if step != expected:
                return False
            expected *= size
    return True


# The methods, which PyTorch marks with a final underscore


def _written(method: str) -> Any:
    name = method[:-1]
    operation = names.operation(name)

    def change(self: Tensor, *others: Any, **named: Any) -> Tensor:
        check_operands(method, operation, others)
        return _change(name, operation, self, *others, **named)

    change.__name__ = change.__qualname__ = method
    change.__doc__ = f"`{name}`, written into the tensor."
    return change


def _change(name: str, operation: Any, target: Tensor, *others: Any, **named: Any) -> Tensor:
    """`in_place`; where elements share memory, the assignment that stands for it."""
    assignment = _ASSIGNMENTS.get(name)
    if assignment is None or not elements_shared(target._array):
        return in_place(operation, target, *others, **named)
    index, value, words = assignment(target, *others, **named)
    if not isinstance(value, Tensor):
        value = element(value, target.dtype)
    region, arrays = read_index(index, target._array.shape)
    warnings.warn(_EXPANDED.format(name, words), stacklevel=3)
    write(target, value, region, arrays, "IndexPutBackward0", overlapping=True)
    return target


def _reshaped(method: str) -> Any:
    name = method[:-1]
    operation = getattr(shapes, name)

    def change(self: Tensor, *arguments: Any) -> Tensor:
        return become(self, operation(self, *arguments))

    change.__name__ = change.__qualname__ = method
    change.__doc__ = f"`{name}`, of the tensor itself."
    return change


_OPERANDS = (Tensor, int, float, np.generic, type(None))


def check_operands(name: str, operation: Any, others: tuple[Any, ...]) -> None:
    """TypeError, in PyTorch's words, for an operand that is neither a Tensor nor a number."""
    for other in others:
        if not isinstance(other, _OPERANDS):
            break
    else:
        return
    parameters = parameter_names(operation)[1:]
    for position, (parameter, other) in enumerate(zip(parameters, others, strict=False), 1):
        if isinstance(other, _OPERANDS) or operation.__annotations__.get(parameter) == "str":
            continue
        if isinstance(other, complex):
            raise RuntimeError(
                f"{name}(): Converting complex Scalar to non-complex type is not supported"
            )
        raise TypeError(
            f"{name}(): argument '{parameter}' (position {position}) must be Tensor, "
            f"not {type_name(other)}"
        )


class InPlace(Tensor):
    """Methods that change a tensor: each returns the tensor itself.

    Under records, a leaf that requires a gradient refuses with PyTorch's RuntimeError, and a
    computed tensor gets a newer record.
    """

    __slots__ = ()

    copy_ = copy
    fill_ = fill
    zero_ = zero

    def add_(self, other: Operand, *old: Tensor, alpha: Number = 1) -> Tensor:
        """x + alpha · y, written into the tensor."""
        if old:
            return in_place(arithmetic.add, self, other, *old)
        check_operands("add_", arithmetic.add, (other,))
        return scaled_update(self, other, alpha, 1)

    def sub_(self, other: Operand, *old: Tensor, alpha: Number = 1) -> Tensor:
        """x − alpha · y, written into the tensor."""
        if old:
            return in_place(arithmetic.sub, self, other, *old)
        check_operands("sub_", arithmetic.sub, (other,))
        return scaled_update(self, other, alpha, -1)

    subtract_ = sub_

    def index_put_(
        self, indices: tuple[Tensor, ...], values: Tensor, accumulate: bool = False
    ) -> Tensor:
        """`index_put`, written into the tensor."""
        put = names.operation("index_put")
        if accumulate:
            return in_place(put, self, indices, values, accumulate)
        return _change("index_put", put, self, indices, values)

    def cumsum_(self, dim: int, *, dtype: DType = None) -> Tensor:
        """`cumsum` in the tensor's own type, written into the tensor."""
        return in_place(names.operation("cumsum"), self, dim, dtype=dtype or self.dtype)

    def cumprod_(self, dim: int, *, dtype: DType = None) -> Tensor:
        """`cumprod` in the tensor's own type, written into the tensor."""
        return in_place(names.operation("cumprod"), self, dim, dtype=dtype or self.dtype)

    def float_power_(self, exponent: Operand) -> Tensor:
        """xʸ, written into the tensor; RuntimeError unless it is float64, as the result is."""
        if self._array.dtype != np.float64:
            kind = dtypes.from_numpy_dtype(self._array.dtype).legacy_name
            raise RuntimeError(
                f"the base given to float_power_ has dtype {kind} but the operation's result "
                "requires dtype Double"
            )
        return in_place(arithmetic.float_power, self, exponent)


for _name in names.IN_PLACE:
    if f"{_name}_" not in vars(InPlace):
        LaterMethod(
            InPlace, f"{_name}_", _reshaped if names.METHODS[_name] == "shapes" else _written
        )


def __getattr__(name: str) -> Callable[..., Tensor]:
    """A method that writes into a tensor as a function: `torch.abs_(x)` is `x.abs_()`."""
    if name[:-1] not in names.WRITING.split():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def function(input: Tensor, *others: Any, **named: Any) -> Tensor:
        check_tensors(name, input=input)
        written: Tensor = getattr(input, name)(*others, **named)
        return written

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`Tensor.{name}` as a function."
    globals()[name] = function
    return function
