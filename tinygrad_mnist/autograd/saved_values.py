"""The values that records keep for their formulas: checked when used, released after use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist.dtypes import from_numpy_dtype
from tinygrad_mnist.record import Record, Saved, wrap

from .fitting import restored

_ndarray = np.ndarray
_RELEASED: tuple[Saved | None, ...] = (None,)


def unpack(record: Record, which: int, as_tensor: bool) -> Any:
    """A saved value, checked to be still there and as it was."""
    if record.saved is _RELEASED:
        raise released_error()
    saved = record.saved[which]
    assert saved is not None
    value, counter, version = saved
    is_output = which == len(record.edges)
    if counter[0] != version:
        source = record if is_output else record.edges[which]
        raise version_error(value, counter[0], version, source, record.name())
    if as_tensor and value.__class__ is _ndarray:
        value = wrap(value, counter)
        value._record = record if is_output else record.edges[which]
    operation = record.primitive
    if is_output and operation is not None and operation.reduces:
        return value if record.attributes["keepdim"] else restored(value, record)
    return value


def release(record: Record) -> None:
    """Let go of a record's saved arrays (numbers may stay: a second walk needs nothing else)."""
    context = record.attributes.get("ctx")
    if context is not None and context._saved:
        context._saved = None
    for saved in record.saved:
        if saved is not None and saved[0].__class__ is _ndarray:
            record.saved = _RELEASED
            return


def released_error() -> RuntimeError:
    """The error for values that an earlier walk released."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need "
        "to backward through the graph a second time or if you need to access saved tensors "
        "after calling backward."
    )


def version_error(
    value: Any, version: int, expected: int, source: Record | None, user: str
) -> RuntimeError:
    """The error for a saved value that was changed in place before `user` could use it."""
    kind = from_numpy_dtype(value.dtype).legacy_name
    origin = "" if source is None else f", which is output 0 of {source.name()},"
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{kind}Tensor {list(value.shape)}]{origin} is at version {version}; "
        f"expected version {expected} instead: {user} needs it as it was. Hint: enable anomaly "
        "detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True)."
    )
