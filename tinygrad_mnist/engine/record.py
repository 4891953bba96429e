"""Where names were before they moved: for branches under way, to be taken out."""
# ruff: noqa: F401

from tinygrad_mnist.core.record import Array, next_sequence, state

from .hooks import Hooks, RemovableHandle
from .node import (
    CONSTANT,
    FREED,
    KEPT,
    NO_ATTRIBUTES,
    AccumulateGrad,
    Record,
    Saved,
    freed_error,
    make_record,
    move_grad,
    must_not_change,
    named_as,
    not_freed,
)
from .observing import OBSERVERS, Observer, observe, report
from .tensor_base import TENSOR_TYPE, Step, TensorBase, View, wrap

label, hand_over, relies_on, keep_for_more_walks = named_as, move_grad, must_not_change, not_freed
