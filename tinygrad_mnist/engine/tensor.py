"""What the engine knows of a tensor: an array, its record, its version, and what it is a view of.

`Tensor` is the type that signatures name, in rooms below the one that defines the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_mnist.core.primitive import Primitive
from tinygrad_mnist.core.record import Array
from tinygrad_mnist.core.record import TensorBase as CoreTensor

__all__ = ["TENSOR_TYPE", "Step", "Tensor", "TensorBase", "View", "wrap"]

Step = tuple[Any, Primitive, dict[str, Any]]
"""One of the operations that lead from a tensor to a view of it: the step before (None: it is the
first), the operation, its attributes."""

View = tuple["TensorBase", int, Step, str | None]
"""Of a view: the base, the version at which its record was last right, the steps from base to
view (the last one), and why it must not be changed in place under records, if it must not."""


class TensorBase(CoreTensor):
    """What the engine knows of a tensor."""

    __slots__ = ("__weakref__", "_counter", "_view")

    _counter: list[int]
    """One number, raised by every in-place change and shared by all who share the memory."""
    _view: View | None
    """For a view: the tensor that owns the memory, and how to come from there to the view."""


if TYPE_CHECKING:
    from .tensor_class import Tensor
else:
    Tensor = TensorBase

TENSOR_TYPE: list[type[Tensor]] = [Tensor]
"""The class of every tensor that operations return: the one entry is set where it is defined."""


def wrap(array: Array, counter: list[int] | None = None) -> Tensor:
    """A tensor that holds `array` itself and requires no gradient."""
    tensor: Any = object.__new__(TENSOR_TYPE[0])
    tensor._array = array
    tensor._record = None
    tensor._counter = [0] if counter is None else counter
    tensor._view = None
    made: Tensor = tensor
    return made
