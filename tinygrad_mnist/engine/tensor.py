"""The type that signatures call `Tensor`, in rooms below the one that defines the class.

Type checkers read the stub beside this file, which knows every method. Nothing else is here, so
that the stub hides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .tensor_base import TENSOR_TYPE, Step, TensorBase, View, wrap

__all__ = ["TENSOR_TYPE", "Step", "Tensor", "TensorBase", "View", "wrap"]

if TYPE_CHECKING:
    Tensor = Any
else:
    Tensor = TensorBase
