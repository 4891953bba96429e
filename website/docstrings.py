"""Docstrings as Markdown for mkdocstrings: formulas literal, examples in blocks.

Functions that a `.pyi` file gives only as overloads are functions, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?m)^(?P<indent> *)>>> .*\n?(?:(?P=indent)\S.*\n?)*")
CALL = re.compile(r"\A\w+\(.*\) -> .*\n\n")
CODE = re.compile(r"(`[^`]*`|(?ms:^ *```.*?```))")
MARKS = re.compile(r"[\[\]<]|\*(?![\w*]+:)")


def markdown(text: str) -> str:
    """The Markdown of a docstring."""
    fenced = EXAMPLE.sub(_fenced, text)
    parts = CODE.split(fenced)
    parts[::2] = [MARKS.sub(lambda mark: f"&#{ord(mark[0])};", part) for part in parts[::2]]
    return "".join(parts)


def _fenced(match: re.Match[str]) -> str:
    indent, example = match["indent"], match[0].rstrip("\n")
    return f"{indent}```pycon\n{example}\n{indent}```\n"


class Docstrings(griffe.Extension):
    """Reads docstrings as the package writes them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Makes Markdown of a docstring; that of a function in a `.pyi` file is the code's own."""
        if obj.docstring is None:
            return
        text = obj.docstring.value
        if obj.is_function and obj.parent is not None and obj.parent.is_module and _generated(obj):
            text = inspect.getdoc(_found(obj)) or text
        obj.docstring.value = markdown(CALL.sub("", text))

    def on_module_members(self, *, mod: griffe.Module, **_: Any) -> None:
        """Gives names that have nothing but overloads a function each: the last of them."""
        for name, overloads in mod.overloads.items():
            if name not in mod.members and overloads:
                function = overloads[-1]
                function.overloads = overloads
                mod.set_member(name, function)


def _generated(obj: griffe.Object) -> bool:
    return obj.filepath.suffix == ".pyi" or obj.filepath.with_suffix(".pyi").exists()


def _found(obj: griffe.Object) -> object:
    """The function itself, from the package."""
    return getattr(importlib.import_module(obj.parent.path), obj.name)
