"""Switching recording on and off, and how the backward pass runs: for each thread on its own."""

from __future__ import annotations

import contextvars
import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tinygrad_mnist.core.record import state

from .observer import OBSERVERS, observe
from .tensor import INFERENCE

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")
_GENERATOR = 0x20
"""The flag of a generator function's code, `inspect.CO_GENERATOR`, without that large import."""


class Pass:
    """A backward pass that is under way."""

    __slots__ = ("callbacks", "depth", "gathered", "needed", "opened", "order")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        """How many passes are under way in this thread, one inside the other."""
        self.order: Sequence[Any] = ()
        """The records to visit, in this order, unless `needed` leaves them out."""
        self.needed: set[Any] | None = None
        self.gathered: dict[object, dict[int, Any]] | None = None
        """What hooks on several tensors have been called with."""
        self.callbacks: list[Callable[[], None]] | None = None
        """What to call at the end."""
        self.opened: tuple[Any, dict[int, Any]] | None = None
        """The last record whose saved tensors hooks unpacked, and these by their position."""

    def visits(self, record: Any) -> bool:
        """Whether the record's gradient is computed."""
        return record in self.order and (self.needed is None or record in self.needed)


class BackwardMode(threading.local):
    """How the backward pass of each thread runs."""

    def __init__(self) -> None:
        self.on_tensors = False
        """Whether on Tensors in any case, so that the observer sees each operation of it."""
        self.vjp: Callable[..., Any] | None = None
        """What computes a record's gradients, where it is not the usual `vjp`."""
        self.walk: Callable[..., Any] | None = None
        """What is called, with the usual walk and its arguments, to make a pass: by who watches."""
        self.anomaly = False
        """Whether anomalies are looked for."""
        self.computing: Any = None
        """The record whose gradients are being computed, where anomalies are looked for."""
        self.multithreading = True
        """What `set_multithreading_enabled` said, which changes nothing."""
        self.inference = False
        """Whether `inference_mode` is on."""
        self.packing: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]] = []
        """The hooks for tensors that are saved, packing and unpacking; the last ones hold."""
        self.no_packing: str | None = None
        """What `disable_saved_tensors_hooks` said, where it forbids them."""
        self.levels: list[Any] = []
        """The open levels of forward mode, the innermost last."""
        self.forward = True
        """Whether they carry tangents."""
        self.batches: list[str] = []
        """What each open `vmap` says of random numbers, the innermost last."""
        self.running: Pass | None = None
        """The backward pass that is under way, the innermost if there are several."""


backward_mode = BackwardMode()


def in_new_thread(function: Callable[[], Result]) -> Result:
    """What `function` gives in a thread with the modes of this one, and a stack of its own."""
    modes, grad_enabled = dict(backward_mode.__dict__, running=None), state.grad_enabled
    observer = OBSERVERS.get(threading.get_ident())
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        backward_mode.__dict__.update(modes)
        state.grad_enabled = grad_enabled
        observe.set(observer)
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)
        finally:
            observe.set(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]


def is_grad_enabled() -> bool:
    """Whether operations of this thread leave records."""
    return state.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on in this thread."""
    return backward_mode.inference


class GradMode:
    """A mode for a `with` block, or for the calls of a decorated function; restored in any case."""

    __slots__ = ("mode", "previous")

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.previous = state.grad_enabled

    def again(self) -> GradMode:
        """The same mode, for another block."""
        return GradMode(self.mode)

    def __enter__(self) -> None:
        self.previous = state.grad_enabled
        state.grad_enabled = self.mode

    def __exit__(self, *details: object) -> None:
        state.grad_enabled = self.previous

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode whenever it is called."""
        if isinstance(function, type):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You "
                "should only decorate functions or methods. To preserve the current behavior of "
                "class decoration, you can directly decorate the `__init__` method and nothing "
                "else.",
                FutureWarning,
                stacklevel=2,
            )
        elif hasattr(function, "__code__") and function.__code__.co_flags & _GENERATOR:
            return _generator_in_mode(function, self.again)  # type: ignore[return-value]

        @functools.wraps(function)
        def in_mode(*args: Any, **kwargs: Any) -> Any:
            with self.again():
                return function(*args, **kwargs)

        return in_mode  # type: ignore[return-value]


def _generator_in_mode(
    function: Callable[..., Any], mode: Callable[[], GradMode]
) -> Callable[..., Any]:
    """The generator function, run in `mode` between its yields and never while it waits."""

    @functools.wraps(function)
    def in_mode(*args: Any, **kwargs: Any) -> Any:
        with mode():
            generator = function(*args, **kwargs)
            resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with mode():
                    produced = resume()
            except StopIteration as end:
                return end.value
            try:
                received = yield produced
            except GeneratorExit:
                with mode():
                    generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, received)

    return in_mode


class _FixedMode(GradMode):
    """A mode whose name is a decorator without parentheses, too."""

    __slots__ = ()

    recording: bool

    def __new__(cls, function: Any = None) -> Any:
        """The mode, or `function` decorated with it."""
        return object.__new__(cls) if function is None else cls()(function)

    def __init__(self) -> None:
        self.mode = self.recording


class no_grad(_FixedMode):
    """Operations leave no records: for updates and evaluation. A context manager and a decorator.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    __slots__ = ()
    recording = False


class enable_grad(_FixedMode):
    """Operations leave records again, inside a `no_grad` block.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    __slots__ = ()
    recording = True


class set_grad_enabled(GradMode):
    """Set recording to `mode` at once, and restore it if used as a context manager.

    Raises TypeError when `mode` is not a bool.

    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
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
        """The mode was set when the object was made."""
        state.grad_enabled = self.mode

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode; outside it, what was before holds again."""
        state.grad_enabled = self.previous
        return super().__call__(function)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` last said: True unless it was called."""
    return backward_mode.multithreading


class set_multithreading_enabled:
    """Accepted for PyTorch's sake: a backward pass always runs in the thread that asked for it.

    >>> with torch.autograd.set_multithreading_enabled(False):
    ...     torch.autograd.is_multithreading_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.previous = backward_mode.multithreading
        backward_mode.multithreading = mode

    def __enter__(self) -> None:
        """The mode was set when the object was made."""

    def __exit__(self, *details: object) -> None:
        backward_mode.multithreading = self.previous


class inference_mode(GradMode):
    """`no_grad` whose results may change in place only inside; with mode=False, `enable_grad`.

    >>> with torch.inference_mode():
    ...     torch.is_grad_enabled()
    False
    """

    __slots__ = ("outside",)

    def __new__(cls, mode: Any = True) -> Any:
        """The mode, or a function decorated with it."""
        return object.__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)
        self.outside = False

    def again(self) -> GradMode:
        """The same mode, for another block."""
        return inference_mode(not self.mode)

    def __enter__(self) -> None:
        self.outside = backward_mode.inference
        self._set(not self.mode)
        super().__enter__()

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        self._set(self.outside)

    @staticmethod
    def _set(inference: bool) -> None:
        backward_mode.inference = inference
        (INFERENCE.add if inference else INFERENCE.discard)(threading.get_ident())
