"""What compiled code depends on: the source of a loop, and of all that it names, file by file.

So an edit lets those loops be compiled anew that it concerns. A file is cut at the lines that begin
at its left edge; what has no name there, as a loop or a condition, counts for all of the file.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
_PLACES: Final = ("kernels", "compiler.loops")
_BESIDE: Final = {
    ("kernels.team", "share"): ("kernels.team_code", "_share"),
    ("kernels.team", "worth"): ("kernels.team_code", "_worth"),
}
"""What compiled code has in the place of a function."""
_NO_PART: Final = {
    f"kernels.{name}"
    for name in ("cache_folder", "compiling", "dispatch", "locks", "loop", "native_code")
}
"""They see to it that loops are compiled."""
_DEFINED = re.compile(r"(?:@.*?)?\b(?:def|class) (\w+)", re.DOTALL)
_ASSIGNED = re.compile(r"([\w, ]+?)(?::[^=\n]+)? = ")
_IMPORT = re.compile(r"^ *from ([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_USE = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?")


class _File(NamedTuple):
    blocks: dict[str, str]
    """The source under each name; what has none under that of nothing."""
    imports: dict[str, tuple[str, str]]
    """Names from other files: of which module, and there of which name, if it is no module."""


@functools.cache
def versions() -> str:
    """Those of all that takes part in compiling."""
    names = ("numba", "numpy", "llvmlite")
    return repr((sys.version, *[importlib.metadata.version(name) for name in names]))


@functools.cache
def digest(*names: str) -> str:
    """Of versions, and of the sources of names such as "kernels.products.dots"."""
    seen: dict[tuple[str, str], str] = {}
    todo = [(module, name) for module, _, name in (each.rpartition(".") for each in names)]
    while todo:
        module, name = todo.pop()
        if (module, name) in seen or module in _NO_PART:
            continue
        file = _read(module)
        text = seen[module, name] = file.blocks.get(name, "")
        todo += [(module, ""), *([_BESIDE[module, name]] if (module, name) in _BESIDE else [])]
        for first, second in _USE.findall(text):
            if first in file.imports:
                where, own = file.imports[first]
                todo.append((where, own or second))
            elif first in file.blocks:
                todo.append((module, first))
    found = hashlib.sha256(versions().encode())
    for place in sorted(seen):
        found.update(repr((place, seen[place])).encode())
    return found.hexdigest()


@functools.cache
def _read(module: str) -> _File:
    text = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=[A-Za-z_@])", _joined(text), flags=re.MULTILINE):
        defines = block.startswith(("@", "def ", "class "))
        named = (_DEFINED if defines else _ASSIGNED).match(block)
        names = named[1].replace(" ", "").split(",") if named else [""]
        for name in ["" if name == "_" else name for name in names]:
            blocks[name] = blocks.get(name, "") + block
    return _File(blocks, dict(_imports(module, text)))


def _joined(text: str) -> str:
    """The source without documentation and imports, decorators on the lines of their functions."""
    text = re.sub(r'^ *"""(?:[^"]|"(?!""))*"""\n', "", _IMPORT.sub("", text), flags=re.MULTILINE)
    return re.sub(r"^(@.*(?:\n[ )\]].*)*)\n(?=@|def|class)", r"\1 ", text, flags=re.MULTILINE)


def _imports(module: str, text: str) -> list[tuple[str, tuple[str, str]]]:
    found = []
    for source, names in _IMPORT.findall(text):
        source = source.removeprefix("tinygrad_mnist.")
        if source.startswith("."):
            source = f"{module.rpartition('.')[0]}.{source[1:]}".rstrip(".")
        for name, _, other in (each.partition(" as ") for each in names.strip("()").split(",")):
            name, local = name.strip(), (other or name).strip()
            if source in _PLACES:
                found.append((local, (f"{source}.{name}", "")))
            elif source.rpartition(".")[0] in _PLACES:
                found.append((local, (source, name)))
    return found
