"""The Tensor class: operators, methods, printing, creation, each in a file of its own."""

from .creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .places import device
from .printing import set_printoptions
from .size import Size
from .tensor_class import Tensor, is_tensor

__all__ = [
    "Size", "Tensor", "arange", "as_tensor", "asarray", "device", "empty", "empty_like", "eye",
    "from_numpy", "full", "full_like", "is_tensor", "linspace", "ones", "ones_like",
    "set_printoptions", "tensor", "zeros", "zeros_like",
]  # fmt: skip
