"""The Tensor class: operators, methods, printing, creation, each in a file of its own."""

from typing import TYPE_CHECKING

from tinygrad_mnist.dtypes import float32 as float
from tinygrad_mnist.dtypes import float64 as double
from tinygrad_mnist.dtypes import int32 as int
from tinygrad_mnist.dtypes import int64 as long
from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.size import Size
from tinygrad_mnist.engine.types import layout, memory_format

from .creation import (
    BoolTensor,
    ByteTensor,
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    frombuffer,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from .description import (
    contiguous_format,
    e,
    get_default_device,
    inf,
    is_complex,
    is_floating_point,
    is_nonzero,
    is_tensor,
    nan,
    newaxis,
    numel,
    pi,
    preserve_format,
    set_default_device,
    strided,
    typename,
)
from .printing import set_printoptions

if TYPE_CHECKING:
    from tinygrad_mnist.engine.tensor import Tensor
else:
    from .tensor_class import Tensor

__all__ = [
    "BoolTensor", "ByteTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor", "Size",
    "Tensor", "arange", "as_tensor", "asarray", "contiguous_format", "device", "double", "e",
    "empty", "empty_like", "eye", "float", "from_numpy", "frombuffer", "full", "full_like",
    "get_default_device", "inf", "int", "is_complex", "is_floating_point", "is_nonzero",
    "is_tensor", "layout", "linspace", "logspace", "long", "memory_format", "nan", "newaxis",
    "numel", "ones", "ones_like", "pi", "preserve_format", "scalar_tensor", "set_default_device",
    "set_printoptions", "strided", "tensor", "typename", "zeros", "zeros_like",
]  # fmt: skip
