"""What PyTorch scripts and notebooks need that this package does not have.

    python -m checks.scripts FOLDER_OR_FILE...
    python -m checks.scripts FOLDER --needed-by torch.fft.rfft

Reads every script (.py) and notebook (.ipynb) that imports PyTorch or a package built on it, and
runs none. Prints how many need nothing that is missing, and what is missing by how many need it.
Whether a name is there is asked of a Python in which `import torch` is answered, as under
`tinygrad-mnist run`; where PyTorch is installed, what it does not have either is left out. Counted
are names by their dotted path, methods that only a tensor has, keyword arguments of what is called
by its dotted path, and what the modules beside a script need that it imports. A name that is only
used in a `try` with a handler, or where a GPU was found, is not needed.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from tinygrad_mnist.tools.scripts import ScriptError, read
from tinygrad_mnist.tools.scripts.program import parsed, without_magics
from tinygrad_mnist.tools.scripts.running import environment

_GUARDS = ("is_available", "hasattr", "cuda", "use_cuda", "device_count")
"""Where the test of an `if` ends in one of these names, its body is for those who have it."""
_METHOD = "torch.Tensor."

_ASK = """
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")

def found(dotted):
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:length]))
        except Exception:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    raise ImportError(dotted)

def is_there(dotted):
    try:
        return not hasattr(found(dotted), "is_refused")
    except Exception:
        return False

def takes(dotted, keyword):
    try:
        parameters = inspect.signature(found(dotted)).parameters
    except Exception:
        return True
    keyword = {"axis": "dim", "keepdims": "keepdim"}.get(keyword, keyword)
    kinds = [each.kind for each in parameters.values()]
    return keyword in parameters or inspect.Parameter.VAR_KEYWORD in kinds

def methods():
    import numpy, torch
    others = [str, list, dict, set, int, numpy.ndarray, torch.nn.Module, torch.ones(1).max(0)]
    return sorted({*dir(torch.Tensor)}.difference(*map(dir, others)))

names, keywords = json.load(sys.stdin)
there = [is_there(name) for name in names], [takes(*pair) for pair in keywords]
print(json.dumps([*there, methods() if is_there("torch") else []]))
"""
"""What a Python is asked: which names are there, which arguments are taken, a tensor's methods."""


@dataclass
class Needs:
    """What a script asks for: dotted names, arguments by keyword, modules beside it."""

    names: set[str] = field(default_factory=set)
    keywords: set[tuple[str, str]] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    trains: bool = False
    """Whether it calls `backward`."""

    def uses_torch(self) -> bool:
        """Whether it asks for anything of PyTorch or of a package built on it."""
        return any(name.partition(".")[0].startswith("torch") for name in self.names)


class _Reader(ast.NodeVisitor):
    """Gathers what a tree needs; `known` is what the script's names stand for."""

    def __init__(self, methods: frozenset[str]) -> None:
        self.needs = Needs()
        self.known: dict[str, str] = {}
        self.foreign: set[str] = set()
        """Names of modules that are not PyTorch's."""
        self.methods = methods

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(alias.name)
            first = alias.name.partition(".")[0]
            name = alias.asname or first
            self._bind(name, alias.name if alias.asname else first)
            if name not in self.known:
                self.foreign.add(name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        self._imported(module)
        for alias in node.names:
            if alias.name == "*":
                continue
            if not module.startswith("torch"):
                self.needs.modules.add(f"{module}.{alias.name}")
                self.known.pop(alias.asname or alias.name, None)
                continue
            self.needs.names.add(f"{module}.{alias.name}")
            self._bind(alias.asname or alias.name, f"{module}.{alias.name}")

    def _imported(self, module: str) -> None:
        of_torch = module.startswith("torch")
        (self.needs.names if of_torch else self.needs.modules).add(module)

    def _bind(self, name: str, dotted: str) -> None:
        if dotted.startswith("torch"):
            self.known[name] = dotted
        else:
            self.known.pop(name, None)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        value = self._dotted(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._bind(target.id, value or "")
            else:
                self.visit(target)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        self.needs.trains |= node.attr == "backward"
        if dotted is not None:
            if isinstance(node.ctx, ast.Load):
                self.needs.names.add(dotted)
            return
        if node.attr in self.methods and _root(node) not in self.foreign:
            self.needs.names.add(_METHOD + node.attr)
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        dotted = self._dotted(node.func)
        if dotted is not None:
            given = {(dotted, word.arg) for word in node.keywords if word.arg is not None}
            self.needs.keywords |= given
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        """What an error is caught for may be missing; the imports still give names."""
        before = deepcopy(self.needs)
        for statement in node.body:
            self.visit(statement)
        if any(_catches_missing(handler) for handler in node.handlers):
            self.needs = before
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        words = {n.attr for n in ast.walk(node.test) if isinstance(n, ast.Attribute)}
        words |= {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        for statement in node.orelse if words.intersection(_GUARDS) else node.body + node.orelse:
            self.visit(statement)

    def _dotted(self, node: ast.expr) -> str | None:
        """What `nn.functional.relu` stands for, if it begins with a name of PyTorch's."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if isinstance(node, ast.Attribute):
            above = self._dotted(node.value)
            return above and f"{above}.{node.attr}"
        return None


def _root(node: ast.expr) -> str:
    """The name with which a chain of attributes begins, "" if with something else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _catches_missing(handler: ast.ExceptHandler) -> bool:
    names = {n.id for n in ast.walk(handler.type or handler) if isinstance(n, ast.Name)}
    wide = {"Exception", "ImportError", "ModuleNotFoundError", "AttributeError"}
    return handler.type is None or bool(names & wide)


def trees(path: Path) -> Iterator[ast.Module]:
    """The trees of a script, or of a notebook's cells; a cell that is no Python 3 is passed over.

    Raises:
        ScriptError: the file cannot be read.
    """
    program = read(path)
    for cell in program.cells:
        source = without_magics(cell.source)[0] if program.is_notebook else cell.source
        try:
            yield parsed(source)
        except SyntaxError:
            if not program.is_notebook:
                raise ScriptError(f"{path}: is not Python 3") from None


def needs_of(path: Path, methods: frozenset[str] = frozenset()) -> Needs:
    """What the script at `path` itself asks for, of `methods` those that it does not define."""
    found = list(trees(path))
    own = {n.name for tree in found for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    reader = _Reader(methods - own)
    for tree in found:
        reader.visit(tree)
    return reader.needs


def with_neighbours(path: Path, methods: frozenset[str] = frozenset()) -> Needs:
    """What a script needs, with what the modules need that it imports from beside itself."""
    needs, waiting, seen = Needs(), [path], {path}
    while waiting:
        here = waiting.pop()
        try:
            own = needs_of(here, methods)
        except ScriptError:
            if here == path:
                raise
            continue
        needs.names |= own.names
        needs.keywords |= own.keywords
        needs.trains |= own.trains
        for module in own.modules:
            found = _beside(here.parent, path.parent, module)
            waiting += [each for each in found if each not in seen]
            seen.update(found)
    return needs


def _beside(here: Path, first: Path, module: str) -> list[Path]:
    """The files of a module that stands beside a script: `a.b` is a/b.py or a/b/__init__.py."""
    level = len(module) - len(module.lstrip("."))
    base = first if level == 0 else here.joinpath(*[".."] * (level - 1))
    stem = base.joinpath(*module.lstrip(".").split("."))
    return [each.resolve() for each in (stem.with_suffix(".py"), stem / "__init__.py")
            if each.is_file()]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a Python with or without this package's answers has of what was asked."""

    names: dict[str, bool]
    keywords: dict[tuple[str, str], bool]
    methods: frozenset[str]
    """What a tensor has and no other usual object."""


def ask(needs: Iterable[Needs] = (), answered: bool = True) -> Answer:
    """Ask this package, as scripts under `run` find it, or else PyTorch, which may be absent."""
    wanted = list(needs)
    names = sorted(set().union(*(each.names for each in wanted)))
    keywords = sorted(set().union(*(each.keywords for each in wanted)))
    done = subprocess.run(
        [sys.executable, "-c", _ASK], env=environment(answered), capture_output=True, text=True,
        input=json.dumps([names, keywords]), check=True,
    )  # fmt: skip
    there, taken, methods = json.loads(done.stdout)
    return Answer(
        dict(zip(names, there, strict=True)),
        dict(zip(keywords, taken, strict=True)),
        frozenset(methods),
    )


@dataclass
class Scan:
    """What a number of scripts need, and what of it is missing."""

    missing: dict[Path, set[str]] = field(default_factory=dict)
    """For each script that uses PyTorch: the names, and arguments as "torch.sum(out=)"."""
    training: set[Path] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def share(self, packages: bool = False, training: bool = False) -> str:
        """How many scripts need nothing missing of PyTorch and torchvision, as a text.

        With `packages`, of other packages built on them either; `training`: of those that train.
        """
        each = [
            names for path, names in self.missing.items() if path in self.training or not training
        ]
        whole = sum(not any(packages or _is_pytorch(name) for name in names) for names in each)
        return f"{whole} of {len(each)} ({100 * whole / max(len(each), 1):.1f} %)"

    def by_need(self) -> list[tuple[str, list[Path]]]:
        """What is missing, with the scripts that need it; what most need first."""
        counts = Counter(name for each in self.missing.values() for name in each)
        order = sorted(counts, key=lambda name: (-counts[name], name))
        return [(name, [p for p, each in self.missing.items() if name in each]) for name in order]


def _is_pytorch(name: str) -> bool:
    return name.partition(".")[0] in ("torch", "torchvision")


def scan(paths: Iterable[Path]) -> Scan:
    """Read the scripts at `paths`, folders with all below them."""
    result, theirs = Scan(), ask(answered=False)
    needs: dict[Path, Needs] = {}
    for path in _files(paths):
        try:
            found = with_neighbours(path, theirs.methods)
        except ScriptError as error:
            result.unreadable.append(str(error))
            continue
        if found.uses_torch():
            needs[path] = found
            result.training |= {path} if found.trains else set()
    ours, theirs = ask(needs.values()), ask(needs.values(), answered=False)
    known = theirs.names.get("torch", False)
    absent = {
        name for name, there in ours.names.items()
        if not there and (theirs.names.get(name) or not known or not name.startswith("torch."))
    }  # fmt: skip
    refused = {
        pair
        for pair, taken in ours.keywords.items()
        if not taken and theirs.keywords.get(pair, True)
    }
    for path, found in needs.items():
        names = absent & found.names
        outermost = {n for n in names if not any(n.startswith(f"{up}.") for up in names)}
        arguments = {f"{name}({word}=)" for name, word in refused & found.keywords}
        result.missing[path] = outermost | arguments
    return result


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (each for each in below if each.suffix in (".py", ".ipynb") and each.is_file())


def main() -> None:
    """Scan what the command line names, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="FOLDER_OR_FILE")
    parser.add_argument("--needed-by", metavar="NAME", help="list the scripts that need a name")
    options = parser.parse_args()
    found = scan(options.paths)
    if options.needed_by:
        needed = dict(found.by_need()).get(options.needed_by, [])
        print(*needed, sep="\n")
        return
    print(f"{found.share()} scripts that use PyTorch need nothing that is missing")
    print(f"{found.share(training=True)} of those that train")
    print(f"{found.share(packages=True)} need no missing package built on PyTorch either")
    print(f"{len(found.unreadable)} files are no Python 3, or no text")
    for name, scripts in found.by_need():
        alone = sum(found.missing[path] == {name} for path in scripts)
        print(f"{len(scripts):5}  {name}" + (f"   ({alone} need nothing else)" if alone else ""))


if __name__ == "__main__":
    main()
