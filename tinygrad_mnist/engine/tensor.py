"""The type that signatures call `Tensor`, in rooms below the one that defines the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import TensorBase

if TYPE_CHECKING:
    Tensor = Any
else:
    Tensor = TensorBase

__all__ = ["Tensor"]
