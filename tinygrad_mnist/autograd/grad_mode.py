"""Switching recording on and off, for each thread on its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from tinygrad_mnist.record import state

Function = TypeVar("Function", bound=Callable[..., Any])
_GENERATOR = 0x20
"""The flag of a generator function's code, `inspect.CO_GENERATOR`, without that large import."""


def is_grad_enabled() -> bool:
    """Whether operations of this thread leave records."""
    return state.grad_enabled


class _GradMode:
    """A mode for a `with` block, or for the calls of a decorated function; restored in any case."""

    __slots__ = ("mode", "previous")

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.previous = state.grad_enabled

    def __enter__(self) -> None:
        self.previous = state.grad_enabled
        state.grad_enabled = self.mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        state.grad_enabled = self.previous

    def __call__(self, function: Function) -> Function:
        mode = self.mode
        if getattr(function, "__code__", None) and function.__code__.co_flags & _GENERATOR:
            return _generator_in_mode(function, mode)  # type: ignore[return-value]

        @functools.wraps(function)
        def in_mode(*args: Any, **kwargs: Any) -> Any:
            with _GradMode(mode):
                return function(*args, **kwargs)

        return in_mode  # type: ignore[return-value]


def _generator_in_mode(function: Callable[..., Any], mode: bool) -> Callable[..., Any]:
    """The generator function, run in `mode` between its yields and never while it waits."""

    @functools.wraps(function)
    def in_mode(*args: Any, **kwargs: Any) -> Any:
        with _GradMode(mode):
            generator = function(*args, **kwargs)
            resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with _GradMode(mode):
                    produced = resume()
            except StopIteration as end:
                return end.value
            try:
                received = yield produced
            except GeneratorExit:
                with _GradMode(mode):
                    generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, received)

    return in_mode


class no_grad(_GradMode):
    """Operations leave no records: for updates and evaluation. A context manager and a decorator.

    >>> import tinygrad_mnist as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    __slots__ = ()

    def __new__(cls, function: Any = None) -> Any:
        if function is None:
            return super().__new__(cls)
        return enable_grad()(function) if cls is enable_grad else no_grad()(function)

    def __init__(self, function: Any = None) -> None:
        super().__init__(False)


class enable_grad(no_grad):
    """Operations leave records again, inside a `no_grad` block."""

    __slots__ = ()

    def __init__(self, function: Any = None) -> None:
        _GradMode.__init__(self, True)


class set_grad_enabled(_GradMode):
    """Set recording to `mode` at once, and restore it if used as a context manager.

    Raises TypeError when `mode` is not a bool.
    """

    __slots__ = ()

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, "
                f"not {type(mode).__name__}"
            )
        super().__init__(mode)
        state.grad_enabled = mode

    def __enter__(self) -> None:
        state.grad_enabled = self.mode

    def __call__(self, function: Function) -> Function:
        state.grad_enabled = self.previous
        return super().__call__(function)


class inference_mode(no_grad):
    """`no_grad`, by the name PyTorch gives to a stricter form of it."""

    __slots__ = ()

    def __new__(cls, mode: Any = True) -> Any:
        return no_grad.__new__(cls, None if isinstance(mode, bool) else mode)

    def __init__(self, mode: Any = True) -> None:
        enabled = not mode if isinstance(mode, bool) else False
        _GradMode.__init__(self, enabled and state.grad_enabled)
