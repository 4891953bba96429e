"""How much of the public face says what it returns.

    python -m checks.typed

Counts the public functions, methods and properties, and those whose result has a type. `Any` is
none, unless `docs/typing.md` lists the name in its table of results. Exits with 1 where a name is
neither typed nor listed, or is listed and typed all the same.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from tinygrad_mnist import Tensor
from tinygrad_mnist.engine.primitive import Primitive

from .imports import ROOT
from .stubs import Untyped, operation_behind, public_names, signature_of

PAGE = ROOT / "docs" / "typing.md"
MODULES = (
    "", "amp", "autograd", "autograd.functional", "cuda", "linalg", "nn", "nn.functional",
    "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "random", "serialization", "testing",
    "utils.data",
)  # fmt: skip
"""The public modules, without the package's name in front."""


def results() -> dict[str, Any]:
    """The public functions, methods and properties, and what each says it returns.

    An overloaded one has the list of its results; one that says nothing has `Untyped`.
    """
    found: dict[str, Any] = {}
    seen: set[Any] = set()
    for short in MODULES:
        module = importlib.import_module(f"tinygrad_mnist.{short}".rstrip("."))
        values = {name: getattr(module, name) for name in public_names(module)}
        for name in sorted(values, key=lambda name: len(getattr(values[name], "__mro__", ()))):
            value = values[name]
            members = _members(value) if isinstance(value, type) else [("", value)]
            for member, function in members:
                if _is_ours(function) and function not in seen:
                    seen.add(function)
                    found[".".join(filter(None, (short, name, member)))] = _result(function)
    return found


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class and those above it define, as functions."""
    for name in dir(kind):
        if name.startswith("_") and (not name.endswith("__") or hasattr(object, name)):
            continue
        member = inspect.getattr_static(kind, name)
        if kind is not Tensor and member is inspect.getattr_static(Tensor, name, None):
            continue
        member = member.fget if isinstance(member, property) else member
        member = getattr(member, "__func__", member)
        if kind is Tensor and isinstance(member, types.FunctionType):
            member = operation_behind(name, member)
        yield name, member


def _is_ours(function: Any) -> bool:
    if not isinstance(function, types.FunctionType | Primitive):
        return False
    return str(inspect.unwrap(function).__module__).startswith("tinygrad_mnist")


def _result(function: Any) -> Any:
    real = inspect.unwrap(function)
    overloads = typing.get_overloads(real) if inspect.isfunction(real) else []
    try:
        return [signature_of(each).return_annotation for each in overloads or [function]]
    except Untyped:
        return [Untyped]


def untyped() -> set[str]:
    """The public names with a result that is not typed."""
    return {name for name, kinds in results().items() if {Any, Untyped} & {*kinds}}


def listed() -> set[str]:
    """The names that the page's table of results says are `Any`, and why."""
    table = PAGE.read_text(encoding="utf-8").partition("| result |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}


def main() -> None:
    """Print the share, and what is untyped without a reason."""
    total, bare, reasons = len(results()), untyped(), listed()
    typed = total - len(bare - reasons)
    print(
        f"{typed} of {total} public functions and methods say what they return "
        f"({typed / total:.1%}); {len(bare & reasons)} of them say Any, for the reasons in "
        f"{PAGE.relative_to(ROOT)}"
    )
    for name in sorted(bare - reasons):
        print(f"{name}: the result has no type")
    for name in sorted(reasons - bare):
        print(f"{name}: {PAGE.name} lists it, but its result has a type")
    sys.exit(1 if bare ^ reasons else 0)


if __name__ == "__main__":
    main()
