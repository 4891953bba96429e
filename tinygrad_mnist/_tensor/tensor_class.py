"""The Tensor class: the operations by name, joined to the subjects of the neighbouring files."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist.ops import (
    activations,
    arithmetic,
    casting,
    choosing,
    comparisons,
    exponential,
    indexing,
    linalg,
    reductions,
    rounding,
    shapes,
)
from tinygrad_mnist.ops import softmax as softmax_family
from tinygrad_mnist.primitive import Primitive
from tinygrad_mnist.record import TensorBase, TENSOR_TYPE

from . import creation, in_place
from .conversion import Conversion
from .gradients import Gradients
from .operators import Operators


def _method(op: Primitive) -> Any:
    """A primitive as a method (an object in a class body would not bind)."""

    def method(self: Any, *inputs: Any, **named: Any) -> Any:
        return op(self, *inputs, **named)

    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = op.__doc__
    return method


def _changing(op: Primitive) -> Any:
    """A primitive as a method that writes its result into the tensor."""

    def method(self: Any, *inputs: Any) -> Any:
        return in_place.in_place(op, self, *inputs)

    method.__name__ = method.__qualname__ = op.name + "_"
    method.__doc__ = f"{op.__doc__}, written into the tensor."
    return method


class Methods:
    """The operations as methods."""

    __slots__ = ()

    mul = multiply = _method(arithmetic.mul)
    add = arithmetic.add
    sub = subtract = arithmetic.sub
    div = divide = true_divide = arithmetic.div
    floor_divide = _method(arithmetic.floor_divide)
    remainder = arithmetic.remainder
    pow = arithmetic.pow
    neg = negative = _method(arithmetic.neg)
    exp = _method(exponential.exp)
    log = _method(exponential.log)
    sqrt = _method(exponential.sqrt)
    tanh = _method(exponential.tanh)
    sigmoid = _method(exponential.sigmoid)
    relu = _method(activations.relu)
    abs = absolute = _method(arithmetic.abs)
    sign = _method(arithmetic.sign)
    floor = _method(rounding.floor)
    ceil = _method(rounding.ceil)
    trunc = _method(rounding.trunc)
    reciprocal = _method(arithmetic.reciprocal)
    maximum = choosing.maximum
    minimum = choosing.minimum
    round = rounding.round
    square = arithmetic.square
    clone = casting.clone
    clamp = clip = choosing.clamp

    eq = _method(comparisons.eq)
    ne = _method(comparisons.ne)
    lt = _method(comparisons.lt)
    le = _method(comparisons.le)
    gt = _method(comparisons.gt)
    ge = _method(comparisons.ge)
    isnan = _method(comparisons.isnan)
    isinf = _method(comparisons.isinf)
    isfinite = _method(comparisons.isfinite)
    logical_not = _method(comparisons.logical_not)
    logical_and = comparisons.logical_and
    logical_or = comparisons.logical_or
    logical_xor = comparisons.logical_xor
    isclose = comparisons.isclose
    allclose = comparisons.allclose
    equal = comparisons.equal

    sum = reductions.sum
    mean = reductions.mean
    max = reductions.max
    min = reductions.min
    amax = reductions.amax
    amin = reductions.amin
    argmax = reductions.argmax
    argmin = reductions.argmin
    logsumexp = reductions.logsumexp
    any = reductions.any
    all = reductions.all

    matmul = linalg.matmul
    mm = linalg.mm
    mv = linalg.mv
    dot = linalg.dot
    bmm = linalg.bmm

    reshape = shapes.reshape
    view = shapes.view
    flatten = shapes.flatten
    unflatten = shapes.unflatten
    permute = shapes.permute
    transpose = swapaxes = swapdims = shapes.transpose
    t = shapes.t
    movedim = shapes.movedim
    squeeze = shapes.squeeze
    unsqueeze = shapes.unsqueeze
    expand = shapes.expand
    broadcast_to = shapes.broadcast_to
    gather = indexing.gather

    softmax = softmax_family.softmax
    log_softmax = softmax_family.log_softmax

    exp_ = _changing(exponential.exp)
    sqrt_ = _changing(exponential.sqrt)
    log_ = _changing(exponential.log)
    tanh_ = _changing(exponential.tanh)
    sigmoid_ = _changing(exponential.sigmoid)
    relu_ = _changing(activations.relu)
    abs_ = _changing(arithmetic.abs)
    neg_ = _changing(arithmetic.neg)
    floor_ = _changing(rounding.floor)
    mul_ = multiply_ = _changing(arithmetic.mul)
    div_ = divide_ = _changing(arithmetic._div)
    pow_ = _changing(arithmetic._pow)
    copy_ = in_place.copy
    fill_ = in_place.fill


class Tensor(Methods, Operators, Conversion, Gradients):
    """An array of numbers of one type that can remember how it was computed.

    Made by `torch.tensor(...)` and its kin; `torch.Tensor(...)` is the old constructor.

    >>> import tinygrad_mnist as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__dict__",)
    __module__ = "tinygrad_mnist"

    def __new__(cls, *data: Any) -> Any:
        made = creation.legacy_tensor(*data)
        if cls is not Tensor:
            made.__class__ = cls
        return made

    def add_(self, other: Any, *, alpha: float = 1) -> Any:
        """x + alpha · y, written into the tensor."""
        return in_place.scaled_update(self, other, alpha, 1)

    def sub_(self, other: Any, *, alpha: float = 1) -> Any:
        """x − alpha · y, written into the tensor."""
        return in_place.scaled_update(self, other, alpha, -1)

    def zero_(self) -> Any:
        """0 everywhere."""
        return in_place.fill(self, 0)

    def clamp_(self, min: Any = None, max: Any = None) -> Any:
        """Held between `min` and `max`, written into the tensor."""
        if in_place.check_inplace(self):
            raise NotImplementedError("clamp_ on a recorded tensor: use x = x.clamp(min, max)")
        in_place.store(self, choosing.clamp(self.detach(), min, max)._array)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Ask for gradients with respect to this leaf, or stop asking; the tensor itself."""
        return Gradients.requires_grad_(self, requires_grad)

    @property
    def T(self) -> Any:
        """The dimensions in reverse order."""
        return shapes.permute(self, tuple(range(self._array.ndim))[::-1])

    @property
    def mT(self) -> Any:
        """The last two dimensions exchanged: the transpose of each matrix."""
        if self._array.ndim < 2:
            raise RuntimeError(
                f"tensor.mT is only supported on matrices or batches of matrices. "
                f"Got {self._array.ndim}-D tensor."
            )
        return shapes.transpose(self, -2, -1)

    def view_as(self, other: Any) -> Any:
        """A view in the shape of `other`."""
        return shapes.view(self, other._array.shape)

    def reshape_as(self, other: Any) -> Any:
        """In the shape of `other`."""
        return shapes.reshape(self, other._array.shape)

    def expand_as(self, other: Any) -> Any:
        """Expanded to the shape of `other`."""
        return shapes.expand(self, other._array.shape)

    def where(self, condition: Any, other: Any) -> Any:
        """The tensor where `condition` holds, `other` elsewhere."""
        return choosing.where(condition, self, other)

    def select(self, dim: int, index: int) -> Any:
        """The slice number `index` along `dim`."""
        axis = shapes.read_dim(dim, self._array.ndim)
        return self[(slice(None),) * axis + (index,)]

    def narrow(self, dim: int, start: int, length: int) -> Any:
        """`length` slices along `dim` from `start` on."""
        axis = shapes.read_dim(dim, self._array.ndim)
        return self[(slice(None),) * axis + (slice(start, start + length),)]

    def new_zeros(self, *size: Any, dtype: Any = None) -> Any:
        """Zeros in the type of this tensor."""
        return creation.zeros(*size, dtype=dtype or self.dtype)

    def new_ones(self, *size: Any, dtype: Any = None) -> Any:
        """Ones in the type of this tensor."""
        return creation.ones(*size, dtype=dtype or self.dtype)

    def new_full(self, size: Any, fill_value: Any, dtype: Any = None) -> Any:
        """`fill_value` in the type of this tensor."""
        return creation.full(size, fill_value, dtype=dtype or self.dtype)

    def new_tensor(self, data: Any, dtype: Any = None) -> Any:
        """`data` in the type of this tensor."""
        return creation.tensor(data, dtype=dtype or self.dtype)


TENSOR_TYPE[0] = Tensor


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, TensorBase)
