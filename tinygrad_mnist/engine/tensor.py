"""What the engine knows of a tensor: an array, its record, its version, and what it is a view of.

`Tensor` is the type that signatures name, in rooms below the one that defines the class.
"""

from __future__ import annotations

from threading import get_ident
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


INFERENCE: set[int] = set()
"""The threads that are in `inference_mode`."""


class InferenceCounter(list[int]):
    """The version counter of a tensor made in `inference_mode`, which may change only there."""

    __slots__ = ()

    def check(self) -> None:
        """RuntimeError outside of `inference_mode`."""
        if get_ident() not in INFERENCE:
            raise RuntimeError(
                "Inplace update to inference tensor outside InferenceMode is not allowed. You can "
                "make a clone to get a normal tensor before doing inplace update."
            )

    def __setitem__(self, at: Any, version: Any) -> None:
        self.check()
        super().__setitem__(at, version)


def new_counter() -> list[int]:
    """The version counter of a new tensor, where some thread is in `inference_mode`."""
    return InferenceCounter((0,)) if get_ident() in INFERENCE else [0]


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
    if counter is None:
        counter = new_counter() if INFERENCE else [0]
    tensor._counter = counter
    tensor._view = None
    made: Tensor = tensor
    return made
