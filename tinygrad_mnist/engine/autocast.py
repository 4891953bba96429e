"""Mixed precision: which functions compute in a lower precision while autocast is on, which not.

A function says so itself, where it is defined, as PyTorch's lists for the CPU have it: products and
convolutions take their inputs in the lower precision (`lowered`, or `in_lower_precision`), losses
and other functions that need it in float32 (`in_float32`). All others compute in what they get.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tinygrad_mnist import dtypes
from tinygrad_mnist.core.record import state

from .tensor import TensorBase

Function = TypeVar("Function", bound=Callable[..., Any])


class Autocast(threading.local):
    """What each thread has set, for the devices it named."""

    def __init__(self) -> None:
        self.enabled: dict[str, bool] = {}
        self.dtypes: dict[str, dtypes.dtype] = {}
        self.nesting = 0
        self.cache_enabled = True
        self.cache: dict[int, tuple[Any, Any]] = {}
        """Of each parameter that was cast, and the cast: used again until autocast ends."""


settings = Autocast()
AUTOCAST: dict[int, dtypes.dtype] = {}
"""For each thread in which autocast is on for the CPU, the lower precision."""


def update() -> None:
    """Note in `AUTOCAST` what this thread has set."""
    if settings.enabled.get("cpu"):
        AUTOCAST[threading.get_ident()] = settings.dtypes.get("cpu", dtypes.bfloat16)
    else:
        AUTOCAST.pop(threading.get_ident(), None)


def _cast(value: Any, kind: dtypes.dtype) -> Any:
    """A floating-point tensor of less than 64 bits in the type, others as they are."""
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)([_cast(each, kind) for each in value])
    if not isinstance(value, TensorBase) or value._array.dtype.char == "d":
        return value
    tensor: Any = value
    if not tensor.is_floating_point() or tensor.dtype is kind:
        return value
    keep = (
        kind is not dtypes.float32 and tensor.dtype is dtypes.float32 and settings.cache_enabled
        and tensor.requires_grad and tensor.is_leaf and tensor._view is None and state.grad_enabled
    )  # fmt: skip
    if not keep:
        return tensor.to(kind)
    known = settings.cache.get(id(tensor))
    if known is None or known[1].dtype is not kind:
        known = settings.cache[id(tensor)] = tensor, tensor.to(kind)
    return known[1]


def lowered(*tensors: Any) -> tuple[Any, ...]:
    """The tensors in the lower precision, if autocast is on in this thread."""
    kind = AUTOCAST.get(threading.get_ident())
    return tensors if kind is None else tuple([_cast(tensor, kind) for tensor in tensors])


def _compute(
    function: Callable[..., Any], kind: dtypes.dtype | None, args: Any, kwargs: dict[str, Any]
) -> Any:
    """The function on arguments in the type (None: as they are), autocast off inside it."""
    thread = threading.get_ident()
    lower = AUTOCAST.pop(thread, None)
    try:
        if lower is not None and kind is not None and kwargs.get("out") is None:
            given = lower if kind is dtypes.bfloat16 else kind
            args = tuple([_cast(value, given) for value in args])
            kwargs = {name: _cast(value, given) for name, value in kwargs.items()}
        return function(*args, **kwargs)
    finally:
        if lower is not None:
            AUTOCAST[thread] = lower


def _policy(kind: dtypes.dtype | None) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if AUTOCAST:
                return _compute(function, kind, args, kwargs)
            return function(*args, **kwargs)

        return cast(Function, call)

    return decorate


in_lower_precision = _policy(dtypes.bfloat16)
in_float32 = _policy(dtypes.float32)
as_given = _policy(None)
"""For what is made of products and yet not on PyTorch's lists."""
