"""Finding the operation that an error or a NaN of the backward pass comes from."""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from tinygrad_mnist.engine.backward_pass import vjp
from tinygrad_mnist.engine.hooks import Gradient, Gradients
from tinygrad_mnist.engine.modes import backward_mode
from tinygrad_mnist.engine.node import Record, edge
from tinygrad_mnist.engine.observer import OBSERVERS, Observer, observe
from tinygrad_mnist.engine.tensor import TensorBase

_origins: weakref.WeakKeyDictionary[Record, str] = weakref.WeakKeyDictionary()
_parents: weakref.WeakKeyDictionary[Record, Record] = weakref.WeakKeyDictionary()
"""Of a record that a backward pass left: the record whose formulas left it."""
_PACKAGE = __name__.partition(".")[0]


def _note_origin(op: Any, inputs: Any, attributes: Any, output: Any) -> None:
    """An observer: remember for each record which line of the user's program made it."""
    import traceback

    record = None if output is None else edge(output._record)[0]
    if record is not None:
        if backward_mode.computing is not None:
            _parents[record] = backward_mode.computing
        stack = [
            frame
            for frame in traceback.extract_stack()
            if f"/{_PACKAGE}/" not in frame.filename.replace("\\", "/")
        ]
        _origins[record] = "".join(traceback.format_list(stack))


class _Origins:
    """An observer that notes origins, and tells of each call the one that was there before."""

    def __init__(self, outside: Observer | None) -> None:
        self.outside = outside

    def __call__(self, *call: Any) -> None:
        _note_origin(*call)
        if self.outside is not None:
            self.outside(*call)


def _warn(record: Record) -> None:
    """Tell where the record comes from, and the records whose backward left it."""
    told, caused = f"Error detected in {record.name()}", "caused the error"
    current: Record | None = record
    while current is not None:
        origin = _origins.get(current)
        known = (
            "No forward pass information available. Enable detect anomaly during forward pass for "
            "more information."
            if origin is None
            else f"Traceback of forward call that {caused}:\n{origin}"
        )
        try:
            warnings.warn(f"{told}. {known}", UserWarning, stacklevel=2)
        except UserWarning as warning:  # the error that is on its way counts more
            sys.stderr.write(f"{warning}\n")
        current = _parents.get(current)
        if current is not None:
            told = f"\n\nPrevious calculation was induced by {current.name()}"
            caused = "induced the previous calculation"


def _vjp_that_tells(check_nan: bool) -> Callable[..., Gradients]:
    """`vjp` that names the record whose formula fails or gives NaN."""

    def told_vjp(record: Record, gradient: Gradient, wanted: set[Record] | None) -> Gradients:
        outside, backward_mode.computing = backward_mode.computing, record
        try:
            found = vjp(record, gradient, wanted)
        except Exception:
            _warn(record)
            raise
        finally:
            backward_mode.computing = outside
        for position, result, _ in found:
            array = result._array if isinstance(result, TensorBase) else result
            if check_nan and isinstance(array, np.ndarray) and np.isnan(array).any():
                _warn(record)
                raise RuntimeError(
                    f"Function '{record.name()}' returned nan values in its {position}th output."
                )
        return found

    return told_vjp


class set_detect_anomaly:
    """Turn anomaly detection on or off for this thread; a context manager restores it.

    While it is on, each record remembers the line of the program that made it. A backward pass
    that fails then warns with that line, and one that gives NaN raises RuntimeError naming the
    operation (unless `check_nan` is False).
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        observer = OBSERVERS.get(threading.get_ident())
        self.previous = (backward_mode.anomaly, backward_mode.vjp, observer)
        backward_mode.anomaly = mode
        backward_mode.vjp = _vjp_that_tells(check_nan) if mode else None
        outside = observer.outside if isinstance(observer, _Origins) else observer
        observe.set(_Origins(outside) if mode else outside)

    def __enter__(self) -> None:
        """Detection is on from the moment it was asked for."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        backward_mode.anomaly, backward_mode.vjp, observer = self.previous
        observe.set(observer)


class detect_anomaly(set_detect_anomaly):
    """`set_detect_anomaly(True)` for a `with` block.

    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     y = torch.sqrt(x) * 0
    >>> float(y)
    0.0
    """

    def __init__(self, check_nan: bool = True) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )
        super().__init__(True, check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on in this thread."""
    return backward_mode.anomaly
