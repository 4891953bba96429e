"""A program of its own that replays a failure: the function's source, the arrays, the seed."""

from __future__ import annotations

import ast
import base64
import importlib
import inspect
import textwrap
import types
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["script"]

Array = np.ndarray[Any, Any]
_SIMPLE = (int, float, bool, str, bytes, type(None))
_WRITTEN_OUT = 200
"""Arrays of more numbers are packed."""


def script(
    function: Any, arrays: Sequence[Array], framework: str, seed: int, second_order: bool = False
) -> str:
    """The program. What cannot be written down is left as a line to fill in, and said so."""
    parts = _Parts()
    name = parts.named("f", function)
    inputs = ", ".join(f"x{i}" for i in range(len(arrays)))
    arguments = [_literal(each) for each in arrays]
    if any("base64" in each for each in arguments):
        parts.imports |= {"import base64", "import zlib"}
    more = ", second_order=True" if second_order else ""
    call = f"check_gradients({name}, {inputs}, framework={framework!r}, seed={seed}{more})"
    lines = [
        "from __future__ import annotations",
        "",
        "import numpy as np",
        *sorted(parts.imports - {"import numpy as np"}),
        "from tinygrad_mnist.testing import check_gradients",
        "",
        *parts.definitions,
        *[f"x{i} = {each}" for i, each in enumerate(arguments)],
        "",
        call,
    ]
    return "\n".join(lines) + "\n"


def _literal(array: Array) -> str:
    """An array as an expression."""
    kind = "bool" if array.dtype.kind == "b" else array.dtype.name
    if array.size > _WRITTEN_OUT:
        packed = base64.b85encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()
        lines = "\n".join(f"    {each!r}" for each in textwrap.wrap(packed, 90))
        return (
            "np.frombuffer(zlib.decompress(base64.b85decode(\n"
            f"{lines}\n)), np.{kind}).reshape({array.shape})"
        )
    text = repr(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    return f"np.array({text}, np.{kind})" + ("" if array.size else f".reshape({array.shape})")


class _Parts:
    """Imports and definitions, in an order in which they can be run."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.definitions: list[str] = []
        self.done: dict[int, str] = {}

    def named(self, name: str, value: Any) -> str:
        """Write down what a name stands for; the name, or an expression in its place."""
        if id(value) in self.done:
            return self.done[id(value)]
        if isinstance(value, types.ModuleType):
            self.imports.add(
                f"import {value.__name__} as {name}".replace(f" as {value.__name__}", "")
            )
            return name
        if isinstance(value, tuple | list) and all(callable(each) for each in value) and value:
            named = [self.named(f"{name}{i}", each) for i, each in enumerate(value)]
            return f"({', '.join(named)})"
        if isinstance(value, _SIMPLE):
            self.definitions += [f"{name} = {value!r}", ""]
            return name
        if isinstance(value, np.ndarray):
            self.definitions += [f"{name} = {_literal(value)}", ""]
            return name
        return self._code(name, value)

    def _code(self, name: str, value: Any) -> str:
        """A function or a class: imported from an installed module, else its source."""
        if place := _importable(value):
            self.imports.add(f"from {place[0]} import {place[1]}")
            return place[1]
        owner, attribute = getattr(value, "__self__", None), getattr(value, "__name__", "")
        if isinstance(owner, type) and attribute:
            return f"{self.named(owner.__name__, owner)}.{attribute}"
        source = _source(value)
        if source is None:
            self.definitions += [f"{name} = ...  # put it here: {type(value).__name__}", ""]
            return name
        own = value.__name__ if value.__name__.isidentifier() else name
        self.done[id(value)] = own
        for inner, each in _names(value).items():
            used = self.named(inner, each)
            if used != inner:
                self.definitions += [f"{inner} = {used}", ""]
        lead = "" if source.lstrip().startswith(("def ", "class ", "@", "async ")) else f"{own} = "
        self.definitions += [lead + source, ""]
        return own


def _importable(value: Any) -> tuple[str, str] | None:
    """The module and the name that give this value, of an installed package."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    try:
        home = importlib.import_module(module)
    except Exception:  # __main__ of an interactive session, and modules that are none
        return None
    installed = "site-packages" in (getattr(home, "__file__", None) or "site-packages")
    installed |= module.partition(".")[0] == "tinygrad_mnist"
    if module == "__main__" or not installed or getattr(home, name, None) is not value:
        return None
    return module, name


def _source(value: Any) -> str | None:
    """The source of a function, a lambda or a class, not indented."""
    try:
        text = textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return None
    if getattr(value, "__name__", "") != "<lambda>":
        return text.rstrip()
    for end in range(len(text), 0, -1):  # a lambda's lines may be a part of a statement
        for start in (0, max(text.find("lambda"), 0)):
            try:
                tree = ast.parse(text[start:end].strip())
            except SyntaxError:
                continue
            return _lambda(tree, value)
    return None


def _lambda(tree: ast.AST, value: Any) -> str | None:
    wanted = value.__code__
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            text = ast.unparse(node)
            made = eval(compile(text, "<lambda>", "eval"), {})
            if made.__code__.co_names == wanted.co_names and (
                made.__code__.co_varnames == wanted.co_varnames
            ):
                return text
    return None


def _names(value: Any) -> dict[str, Any]:
    """What the code of a function, or of a class's methods, calls by name."""
    if isinstance(value, type):
        found: dict[str, Any] = {}
        for base in value.__bases__:
            if base.__module__ != "builtins" and not _written_with_module(value):
                found[base.__name__] = base
        for each in vars(value).values():
            plain = getattr(each, "__func__", each)
            if isinstance(plain, types.FunctionType):
                found |= _names(plain)
        module = inspect.getmodule(value)
        source = _source(value) or ""
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Name) and hasattr(module, node.id):
                found.setdefault(node.id, getattr(module, node.id))
        found.pop(value.__name__, None)
        return found
    plain = inspect.unwrap(value)
    if not isinstance(plain, types.FunctionType):
        return {}
    closed = inspect.getclosurevars(plain)
    return {
        name: each for name, each in {**closed.globals, **closed.nonlocals}.items()
        if each is not value
    }  # fmt: skip


def _written_with_module(value: type) -> bool:
    """Whether the bases are written as attributes of a module, which is a name by itself."""
    source = _source(value) or ""
    return "." in source.partition(":")[0]
