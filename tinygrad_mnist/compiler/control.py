"""What `torch.compiler` offers besides `compile`: asking and telling what is compiled."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tinygrad_mnist.engine.observer import OBSERVERS

from .compiled import Compiled
from .trace import Tracer

Function = TypeVar("Function")


def _tracer() -> Tracer | None:
    """The tracer that listens in this thread, if one does."""
    observer = OBSERVERS.get(threading.get_ident())
    listener = getattr(observer, "__self__", None)
    return listener if isinstance(listener, Tracer) else None


def is_compiling() -> bool:
    """Whether a function is being traced in this thread.

    >>> torch.compiler.is_compiling()
    False
    """
    return _tracer() is not None


is_dynamo_compiling = is_compiling


def disable(
    fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None
) -> Callable[..., Any]:
    """A function that is never compiled: what calls it while traced runs uncompiled, too.

    There are no graph breaks. A decorator too; `recursive` changes nothing.

    >>> @torch.compiler.disable
    ... def double(x):
    ...     return 2 * x
    >>> double(torch.ones(2))
    tensor([2., 2.])
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    function: Callable[..., Any] = fn.function if isinstance(fn, Compiled) else fn

    @functools.wraps(function)
    def uncompiled(*args: Any, **kwargs: Any) -> Any:
        tracer = _tracer()
        if tracer is not None:
            name = getattr(function, "__name__", type(function).__name__)
            why = f" ({reason})" if reason else ""
            tracer.stop(f"{name} is disabled{why}")
        return function(*args, **kwargs)

    return uncompiled


def allow_in_graph(fn: Function) -> Function:
    """The function as it is: whatever is called is traced."""
    return fn


def reset() -> None:
    """Forget all programs: each function is traced again at its next call."""
    for compiled in list(Compiled.all):
        compiled.forget()


def list_backends(
    exclude_tags: Sequence[str] | None = ("debug", "experimental"),
) -> list[str]:
    """The names that `backend` may have."""
    return ["inductor"]


def cudagraph_mark_step_begin() -> None:
    """Nothing: results belong to the caller in any case."""
