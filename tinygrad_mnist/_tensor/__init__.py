"""The Tensor class: operators, methods, printing, creation, each in a file of its own."""

from tinygrad_mnist.engine.device import device
from tinygrad_mnist.engine.size import Size

from .constants import (
    contiguous_format,
    e,
    inf,
    layout,
    memory_format,
    nan,
    newaxis,
    pi,
    preserve_format,
    strided,
)
from .creation import (
    as_tensor,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    frombuffer,
    full,
    full_like,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from .legacy import BoolTensor, ByteTensor, DoubleTensor, FloatTensor, IntTensor, LongTensor
from .printing import set_printoptions
from .queries import (
    get_default_device,
    is_complex,
    is_floating_point,
    is_nonzero,
    is_tensor,
    numel,
    set_default_device,
    typename,
)
from .ranges import arange, linspace, logspace
from .tensor_class import Tensor
from .type_names import double, float, int, long

__all__ = [
    "BoolTensor", "ByteTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor", "Size",
    "Tensor", "arange", "as_tensor", "asarray", "contiguous_format", "device", "double", "e",
    "empty", "empty_like", "eye", "float", "from_numpy", "frombuffer", "full", "full_like",
    "get_default_device", "inf", "int", "is_complex", "is_floating_point", "is_nonzero",
    "is_tensor", "layout", "linspace", "logspace", "long", "memory_format", "nan", "newaxis",
    "numel", "ones", "ones_like", "pi", "preserve_format", "scalar_tensor", "set_default_device",
    "set_printoptions", "strided", "tensor", "typename", "zeros", "zeros_like",
]  # fmt: skip
