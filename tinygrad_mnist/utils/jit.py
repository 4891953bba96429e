"""TorchScript: what models ask of it while they run as Python; the rest is refused when used."""

from typing import Any, Final

from tinygrad_mnist.names import lazily, refused
from tinygrad_mnist.nn.modules.module import Module

__all__ = ["Final", "ScriptModule", "export", "ignore", "is_scripting", "is_tracing", "unused"]
__getattr__, __dir__ = lazily("tinygrad_mnist.jit", {})
globals().update(refused("jit", "freeze load optimize_for_inference save script trace"))


class ScriptModule(Module):
    """What TorchScript makes of a module: nothing here is one."""


def is_scripting() -> bool:
    """Whether TorchScript compiles the code: it does not."""
    return False


def is_tracing() -> bool:
    """Whether TorchScript records a run of the code: it does not."""
    return False


def export(fn: Any) -> Any:
    """The function itself: TorchScript would compile it too."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function itself, or a decorator that gives it: TorchScript would leave it as Python."""
    return drop if callable(drop) else export


unused = export
