"""`--why NAME`: a variable of a script, and why its gradient is missing, zero or not finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from tinygrad_mnist._tensor import Tensor
from tinygrad_mnist.nn import Module
from tinygrad_mnist.tools.scripts import ScriptError

from .recording.frames import is_program, visible
from .why import why
from .why.words import answer

_AS_IF_FINE = ("nothing", "not_walked", "not_a_leaf")
"""What a backward pass that failed before its first step leaves `why` to believe."""
Scopes = Iterable[Mapping[str, Any]]


def told(name: str, scopes: Scopes, loss: Tensor | None, error: Exception | None = None) -> str:
    """The reason for what a script calls `name`, such as "w" or "model.0.weight".

    `error` is what ended the backward() of that loss, if anything did.

    Raises:
        ScriptError: there is no such tensor or module.
    """
    reason = why(named(name, scopes), loss)
    if error is not None and loss is not None and reason.cause in _AS_IF_FINE:
        text = f"backward() ended with an error before it began: {str(error).partition('. ')[0]}."
        reason = answer("failed", text)
    return f"{reason}\n"


def named(name: str, scopes: Scopes) -> Tensor | Module:
    """The tensor or module of that name, in the first of the scopes that has one.

    Raises:
        ScriptError: there is none.
    """
    known: dict[str, None] = {}
    head, *parts = name.split(".")
    for scope in scopes:
        value = scope.get(head)
        for part in parts:
            is_item = part.isdigit() and not isinstance(value, Module)
            value = _item(value, int(part)) if is_item else getattr(value, part, None)
        if isinstance(value, Tensor | Module):
            return value
        known |= {each: None for each, v in scope.items() if isinstance(v, Tensor | Module)}
    raise ScriptError(f"--why {name}: no tensor or module is called so there; these are: "
                      f"{', '.join(sorted(known)) or 'none'}")  # fmt: skip


def _item(value: Any, number: int) -> Any:
    return value[number] if isinstance(value, list | tuple) and number < len(value) else None


def scopes_of(trace: TracebackType | None) -> tuple[list[dict[str, Any]], Tensor | None]:
    """The variables of the program's frames in a traceback, innermost first.

    With them the tensor whose backward() failed, if it was that.
    """
    scopes: list[dict[str, Any]] = []
    loss = None
    while trace is not None:
        frame = trace.tb_frame
        if is_program(frame.f_code.co_filename):
            scopes.insert(0, visible(frame))
        elif frame.f_code.co_name == "backward" and isinstance(frame.f_locals.get("self"), Tensor):
            loss = frame.f_locals["self"]
        trace = trace.tb_next
    return scopes, loss
