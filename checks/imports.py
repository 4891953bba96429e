"""Who imports whom, file by file: no circle, NumPy alone in `core`, PyTorch inside functions only.

    python -m checks.imports                  tells what breaks a rule, and exits with 1 then
    python -m checks.imports --picture FILE   draws the rooms and their imports as an SVG

All imports count: those at the top of a file, those inside functions, those for type checkers.
Which room may import which is import-linter's to check; its contracts stand in pyproject.toml.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "tinygrad_mnist"
EXAMPLES = f"{PACKAGE}/explainer/examples"
OF_NUMPY_ALONE = ("core",)
MAY_USE_TORCH = ("tools", "testing", "distributed")
MADE_FOR_TORCH = f"{PACKAGE}.tools.vision"
"""What is loaded under the name `torchvision`, with whichever torch there is."""


class Import(NamedTuple):
    """One import: the file and line where it stands, the module, whether inside a function."""

    path: Path
    line: int
    module: str
    inside: bool


def imports_of(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import in a file, relative ones made absolute."""
    package = ".".join(path.relative_to(root).parent.parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(path, node.lineno, name.name, id(node) in inside)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""]).strip(".") if node.level else node.module
            for name in node.names:
                yield Import(path, node.lineno, f"{base}.{name.name}", id(node) in inside)


def files(root: Path = ROOT) -> dict[str, Path]:
    """The package's files by the names of their modules; programs that come along are none."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        if path.parent == root / EXAMPLES:
            continue
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def target(module: str, known: dict[str, Path]) -> str | None:
    """The file that an import of `module` reads: a name in it, or the module itself."""
    while module:
        if module in known:
            return module
        module = module.rpartition(".")[0]
    return None


def graph(root: Path = ROOT) -> dict[str, dict[str, Import]]:
    """For each file the files that it imports, and where."""
    known = files(root)
    found: dict[str, dict[str, Import]] = {name: {} for name in known}
    for name, path in known.items():
        for each in imports_of(path, root):
            to = target(each.module, known)
            if to is not None and to != name:
                found[name].setdefault(to, each)
    return found


def room(module: str) -> str:
    """The first-level entry in which a module lives; "" for the package's face."""
    return module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]


def _told(each: Import, root: Path) -> str:
    return f"{each.path.relative_to(root)}:{each.line}: imports {each.module}"


def circle(found: dict[str, dict[str, Import]]) -> list[str]:
    """The files of one import circle, none if there is none."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def floors(root: Path = ROOT) -> list[list[str]]:
    """The rooms from the top down, as the contract "Imports run one way" has them."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [re.findall(r"\w+", layer) for layer in layers]


def broken(root: Path = ROOT) -> list[str]:
    """What breaks a rule, a line each."""
    around = circle(graph(root))
    wrong = [f"a circle of imports: {' -> '.join(around)}"] if around else []
    for name, path in files(root).items():
        wrong += _of_others(name, path, root)
    return wrong


def _of_others(name: str, path: Path, root: Path) -> Iterator[str]:
    """Imports of other packages that a file may not use."""
    here, anywhere = room(name), name.startswith(MADE_FOR_TORCH)
    for each in imports_of(path, root):
        first = each.module.partition(".")[0]
        if first == "torch" and not (here in MAY_USE_TORCH and (each.inside or anywhere)):
            yield f"{_told(each, root)}: PyTorch is imported inside functions of {MAY_USE_TORCH}"
        known = {*sys.stdlib_module_names, "numpy"}
        if here in OF_NUMPY_ALONE and room(each.module) != here and first not in known:
            yield f"{_told(each, root)}: {here} imports NumPy alone"


def main() -> None:
    """Check, or draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--picture", type=Path, help="draw the rooms into this file instead")
    options = parser.parse_args()
    if options.picture is not None:
        from .picture import drawn

        options.picture.write_text(drawn(), encoding="utf-8")
        return
    wrong = broken()
    print("\n".join(wrong) if wrong else f"{len(files())} files, no circle")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
