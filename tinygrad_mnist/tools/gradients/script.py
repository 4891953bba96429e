"""A program of its own that replays a failure: the function's source, the arrays, the seed."""

from __future__ import annotations

import ast
import base64
import inspect
import re
import sys
import sysconfig
import textwrap
import types
import zlib
from collections.abc import Sequence
from pathlib import Path
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
        *_paths(parts.folders),
        *sorted(parts.imports - {"import numpy as np"}),
        "from tinygrad_mnist.testing import check_gradients",
        "",
        *parts.definitions,
        *[f"x{i} = {each}" for i, each in enumerate(arguments)],
        "",
        call,
    ]
    return "\n".join(lines) + "\n"


def _paths(folders: set[str]) -> list[str]:
    lines = [f"sys.path.insert(0, {each!r})" for each in sorted(folders)]
    return ["import sys", "", *lines] if lines else []


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
        self.folders: set[str] = set()
        self.definitions: list[str] = []
        self.done: dict[int, str] = {}

    def named(self, name: str, value: Any) -> str:
        """Write down what a name stands for; the name, or an expression in its place."""
        if id(value) in self.done:
            return self.done[id(value)]
        if isinstance(value, types.ModuleType):
            self._module(name, value)
            return name
        if isinstance(value, tuple | list) and all(callable(each) for each in value) and value:
            named = [self.named(f"{name}{i}", each) for i, each in enumerate(value)]
            return f"({', '.join(named)})"
        if isinstance(value, _SIMPLE):
            self.definitions += [f"{name} = {value!r}", ""]
            return name
        if isinstance(value, np.ndarray):
            self.definitions += [f"{name} = {_literal(value)}", ""]
            self.done[id(value)] = name
            return name
        return self._code(name, value)

    def _module(self, name: str, module: types.ModuleType) -> None:
        """Import a module; the folder of one that is not installed is put on the path."""
        line = f"import {module.__name__}"
        self.imports.add(line if module.__name__ == name else f"{line} as {name}")
        file = getattr(module, "__file__", None)
        if file and _of_the_user(file) and module.__name__.partition(".")[0] != "tinygrad_mnist":
            up = module.__name__.count(".") + (Path(file).name == "__init__.py")
            self.folders.add(str(Path(file).parents[up]))

    def _code(self, name: str, value: Any) -> str:
        """A function, a class or an object: imported from where it is installed, else written."""
        if place := _importable(value):
            self.imports.add(f"from {place[0]} import {place[1]}")
            return place[1]
        owner, attribute = getattr(value, "__self__", None), getattr(value, "__name__", "")
        if isinstance(owner, type) and attribute:
            return f"{self.named(owner.__name__, owner)}.{attribute}"
        if hasattr(value, "defvjp") and hasattr(value, "fwd"):
            return self._custom_vjp(name, value)
        source = _source(value) if isinstance(value, type | types.FunctionType) else None
        code = getattr(value, "__code__", None)
        if source is None or (code is not None and code.co_name != value.__name__):
            # Of another function, which a decorator made: the source is not of this one.
            return self._object(name, value)
        return self._written(name, value, source)

    def _written(self, name: str, value: Any, source: str) -> str:
        """The source, after what it names."""
        own = value.__name__ if value.__name__.isidentifier() else name
        self.done[id(value)] = own
        for inner, each in _names(value, source).items():
            used = self.named(inner, each)
            if used != inner:
                self.definitions += [f"{inner} = {used}", ""]
        lead = "" if source.lstrip().startswith(("def ", "class ", "@", "async ")) else f"{own} = "
        self.definitions += [lead + source, ""]
        return own

    def _custom_vjp(self, name: str, value: Any) -> str:
        """JAX's function with its rule; its source may be decorated, or not."""
        plain = value.fun
        own = self._written(name, plain, _source(plain) or "...")
        if "@" not in self.definitions[-2].partition("def ")[0]:
            self.imports.add("import jax")
            self.definitions += [f"{own} = jax.custom_vjp({own})", ""]
        self.done[id(value)] = own
        rules = [self.named(f"{own}_{which}", getattr(value, which)) for which in ("fwd", "bwd")]
        self.definitions += [f"{own}.defvjp({', '.join(rules)})", ""]
        return own

    def _object(self, name: str, value: Any) -> str:
        """An object of plain attributes written out; another one imported from its file."""
        kind = type(value)
        held = getattr(value, "__dict__", {})
        if _source(kind) and all(
            isinstance(each, (*_SIMPLE, np.ndarray)) for each in held.values()
        ):
            made = self.named(kind.__name__, kind)
            lines = [f"{name} = {made}.__new__({made})"]
            for attribute, each in held.items():
                text = _literal(each) if isinstance(each, np.ndarray) else repr(each)
                lines.append(f"{name}.{attribute} = {text}")
            self.definitions += [*lines, ""]
            self.done[id(value)] = name
            return name
        if place := _in_a_file(value):
            module, found = place
            self._module(module.__name__, module)
            return f"{module.__name__}.{found}"
        self.definitions += [f"{name} = ...  # put it here: {kind.__name__}", ""]
        return name


def _in_a_file(value: Any) -> tuple[types.ModuleType, str] | None:
    """The module of the user's, and the name in it, of what stands at the top of a file."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and _of_the_user(file) and module.__name__ != "__main__":
            for name, each in list(vars(module).items()):
                if each is value:
                    return module, name
    return None


def _of_the_user(file: str) -> bool:
    """Whether a file is neither installed nor of Python's own."""
    return "site-packages" not in file and not file.startswith(sysconfig.get_path("stdlib"))


def _importable(value: Any) -> tuple[str, str] | None:
    """The module and the name that give this value, of an installed package."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    home = sys.modules.get(module)
    file = getattr(home, "__file__", None)
    installed = file is None or not _of_the_user(file) or module.startswith("tinygrad_mnist.")
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
    starts = [0, *[found.start() for found in re.finditer(r"\blambda\b", text)]]
    for start in starts:  # its lines may be a part of a statement
        for end in range(len(text), start, -1):
            try:
                tree = ast.parse(text[start:end].strip())
            except SyntaxError:
                continue
            if found := _lambda(tree, value):
                return found
            break
    return None


def _lambda(tree: ast.AST, value: Any) -> str | None:
    def shape(code: types.CodeType) -> tuple[Any, ...]:
        return {*code.co_names, *code.co_freevars}, code.co_varnames, code.co_consts

    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda):
            text = ast.unparse(node)
            made = compile(text, "<lambda>", "eval").co_consts[0]
            if shape(made) == shape(value.__code__):
                return text
    return None


def _names(value: Any, source: str) -> dict[str, Any]:
    """What the names in a source stand for, those of decorators and of bases too."""
    functions = [value] if isinstance(value, types.FunctionType) else [
        plain for each in vars(value).values()
        if isinstance(plain := getattr(each, "__func__", each), types.FunctionType)
    ]  # fmt: skip
    known = dict(vars(sys.modules.get(value.__module__) or types))
    for function in functions:
        known |= {**function.__globals__, **inspect.getclosurevars(function).nonlocals}
    tree = list(ast.walk(ast.parse(source)))
    own = {node.arg for node in tree if isinstance(node, ast.arg)}
    used = [node.id for node in tree if isinstance(node, ast.Name) and node.id not in own]
    return {
        name: known[name] for name in dict.fromkeys(used)
        if name in known and known[name] is not value and name != value.__name__
        and not _for_types(known[name])
    }  # fmt: skip


def _for_types(value: Any) -> bool:
    """Whether a name is for annotations alone, which are not evaluated."""
    return getattr(value, "__module__", "") in ("typing", "__future__")
