"""What a tensor says of itself, other names for a tensor, and questions about dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .families import unary
from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]

_matrix = np.ones((2, 3), np.float32)

_ANSWERS = (
    "dtype", "device", "grad", "imag", "is_cuda", "is_leaf", "is_meta", "is_quantized",
    "is_sparse", "itemsize", "layout", "name", "nbytes", "ndim", "output_nr", "requires_grad",
    "retains_grad", "shape",
)  # fmt: skip
_QUESTIONS = (
    "dim", "element_size", "get_device", "is_contiguous", "is_inference", "is_pinned", "is_shared",
    "is_signed", "item", "ndimension", "nelement", "size", "storage_offset", "stride", "tolist",
    "type", "__len__",
)  # fmt: skip
_CONVERSIONS = {"__bool__": bool, "__int__": int, "__float__": float, "__complex__": complex,
                "__index__": lambda x: list(range(9))[x]}  # fmt: skip
_VIEWS = ("T", "H", "mH", "data", "real")


def _attribute(name: str) -> Any:
    return lambda engine, x: _plain(getattr(x, name))


def _answer(name: str) -> Any:
    return lambda engine, x: _plain(getattr(x, name)())


def _plain(value: Any) -> Any:
    """A device or layout by its name, which is the same for both engines."""
    return str(value) if type(value).__name__ in ("device", "layout", "complex") else value


def _square(make: Maker) -> Sample:
    """A matrix: of other tensors PyTorch warns, once in a process."""
    return make.sample(make.array(make.shape(2, 2) or (1, 1)))


def _like(make: Maker) -> Sample:
    """Two tensors, the second with the shape that the first is to have."""
    x = make.array()
    return make.sample(x, make.array(x.shape[::-1]))


def _expandable(make: Maker) -> Sample:
    x, y = make.arrays(2)
    return make.sample(x, np.zeros(np.broadcast_shapes(x.shape, y.shape), np.int64))


def _two_dtypes(make: Maker) -> Sample:
    kinds = ("float32", "float64", "int64", "int32", "uint8", "bool")
    return make.sample(make.choice(*kinds), make.choice(*kinds))


def _of_dtypes(name: str) -> Any:
    def function(engine: Any, first: str, second: str) -> Any:
        found = getattr(engine, name)(getattr(engine, first), getattr(engine, second))
        return found if isinstance(found, bool) else str(found)

    return function


def _reserved(name: str) -> Any:
    """The result with all numbers put to 0: they are nobody's promise."""
    return lambda engine, *given: getattr(engine, name)(*given).detach().zero_()


def _element(make: Maker) -> Sample:
    return make.sample(make.array(make.shape() if make.flag() else (1,)))


def _with_number(make: Maker) -> Sample:
    return make.sample(make.array(numbers="halves"), make.choice(0.5, 1, True, 7))


def _from_array(engine: Any, x: Any) -> Any:
    """The tensor of a tensor's array, which shares its memory."""
    array = x.detach().numpy()
    made = engine.from_numpy(array)
    return made, np.shares_memory(made.numpy(), array)


OPERATIONS = [
    *[Operation(f"Tensor.{name}", unary(), _attribute(name), primitives=()) for name in _ANSWERS],
    *[Operation(f"Tensor.{name}", _element, _answer(name), primitives=()) for name in _QUESTIONS],
    *[Operation(f"Tensor.{name}", _element, lambda t, x, call=call: _plain(call(x)), primitives=())
      for name, call in _CONVERSIONS.items()],
    *[Operation(f"Tensor.{name}", _square, _attribute(name), primitives=("permute",))
      for name in _VIEWS],
    Operation("Tensor.detach", unary(), primitives=()),
    Operation("Tensor.cpu", unary(), primitives=()),
    Operation("Tensor.numpy", unary(), lambda t, x: x.detach().numpy().tolist(), primitives=()),
    Operation("Tensor.requires_grad_", unary(), primitives=()),
    Operation("Tensor.__iter__", unary(), lambda t, x: list(x), primitives=("slice",)),
    Operation("Tensor.__reversed__", unary(), lambda t, x: reversed(x), primitives=("slice",)),
    Operation("Tensor.__contains__", _with_number, lambda t, x, number: number in x, primitives=(),
              errors=(sample(_matrix, "text"),)),
    Operation("Tensor.reshape_as", _like, primitives=("reshape",),
              errors=(sample(_matrix, np.ones(2, np.float32)),)),
    Operation("Tensor.view_as", _like, primitives=("reshape",),
              errors=(sample(_matrix, np.ones(2, np.float32)),)),
    Operation("Tensor.expand_as", _expandable, ulp=4, scale="terms", primitives=("expand",),
              errors=(sample(_matrix, np.ones(2, np.float32)),)),
    *[Operation(name, _two_dtypes, _of_dtypes(name), primitives=())
      for name in ("promote_types", "can_cast")],
    Operation("result_type", lambda make: make.sample(make.array(), make.number()),
              lambda t, x, y: str(t.result_type(x, y)), primitives=()),
    Operation("typename", unary(), primitives=()),
    Operation("is_tensor", lambda make: make.sample(make.choice(make.array(), 1.0)),
              primitives=()),
    Operation("from_numpy", unary(), _from_array, primitives=()),
    Operation("empty", lambda make: make.sample(make.shape()), _reserved("empty"), primitives=(),
              errors=(sample(-1), sample("text"))),
    Operation("empty_like", unary(), _reserved("empty_like"), primitives=()),
    Operation("Tensor.new_empty", lambda make: make.sample(make.array(), make.shape()),
              lambda t, x, shape: x.new_empty(shape).zero_(), primitives=()),
]  # fmt: skip
