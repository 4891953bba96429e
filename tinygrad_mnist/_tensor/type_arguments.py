"""The type that an argument names: `dtype=torch.float32`, `dtype=float`, "torch.LongTensor"."""

from __future__ import annotations

from typing import Any

from tinygrad_mnist import dtypes

_OF_PYTHON = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool}
"""What Python's own types stand for, where PyTorch takes them."""


def read_dtype(function: str, given: Any) -> dtypes.dtype | None:
    """The dtype that `given` names, None for None; TypeError when it is no type."""
    if given is None or isinstance(given, dtypes.dtype):
        return given
    if isinstance(given, type) and given in _OF_PYTHON:
        return _OF_PYTHON[given]
    raise TypeError(
        f"{function}(): argument 'dtype' must be torch.dtype, not {type(given).__name__}"
    )


def read_legacy_type(given: Any) -> dtypes.dtype:
    """The dtype that a name such as "torch.FloatTensor", or the class of that name, stands for."""
    if isinstance(given, dtypes.dtype):
        return given
    named = {f"torch.{kind.legacy_name}Tensor": kind for kind in dtypes._ALL}
    name = given if isinstance(given, str) else f"torch.{getattr(given, '__name__', given)}"
    if name not in named:
        raise ValueError(f"invalid type: '{getattr(given, '__name__', given)}'")
    return named[name]
