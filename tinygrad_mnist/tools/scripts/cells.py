"""Running a program: a script at once, a notebook cell by cell, each showing its output."""

from __future__ import annotations
import __future__

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from .import_hook import UnsupportedModule
from .program import Cell, Program, parsed, without_magics

__all__ = ["execute"]

_COMMENTS = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


def execute(program: Program, namespace: dict[str, Any]) -> None:
    """Run `program` with `namespace` as its global names; errors of the program come through."""
    program.remember_lines()
    if program.is_notebook:
        _Notebook(program, namespace).run()
        return
    (script,) = program.cells
    exec(compile(script.source, script.filename, "exec", dont_inherit=True), namespace)


class _Notebook:
    """A notebook that is being run."""

    def __init__(self, program: Program, namespace: dict[str, Any]) -> None:
        self.program = program
        self.namespace = namespace
        self.future = 0
        """The flags of what the cells imported from __future__ so far."""
        namespace["display"] = _display
        self.sources = [without_magics(cell.source) for cell in program.cells]
        """The Python of each cell, and which lines were left out."""
        self.used = frozenset().union(*[_names_read(source) for source, _ in self.sources])
        """Names that some cell reads."""

    def run(self) -> None:
        """Run the cells, each under a heading if it has something to show."""
        for cell, (source, skipped) in zip(self.program.cells, self.sources, strict=True):
            for line, text in skipped:
                self._notice(cell, line, f"{text} is IPython's; skipped")
            with _headed(f"cell {cell.number}:"):
                self._run_cell(cell, source)
            self._close_figures(cell)

    def _notice(self, cell: Cell, line: int, text: str) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"note: {self.program.place(cell.filename, line)}: {text}\n")

    def _close_figures(self, cell: Cell) -> None:
        """A figure belongs to the cell that drew it, as in Jupyter, which would show it here."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and pyplot.get_fignums():
            last = len(cell.source.splitlines())
            self._notice(cell, last, "draws a figure, which is not shown; plt.savefig keeps it")
            pyplot.close("all")

    def _run_cell(self, cell: Cell, source: str) -> None:
        tree = ast.parse(source, cell.filename)
        shown = [] if _ends_with_semicolon(source) else tree.body[-1:]
        for statement in tree.body:
            if isinstance(statement, ast.Expr) and statement in shown:
                self._exec(ast.Interactive([statement]), cell, "single")
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(cell, statement)
            else:
                self._exec(ast.Module([statement], []), cell, "exec")

    def _exec(self, tree: ast.Module | ast.Interactive, cell: Cell, mode: str) -> None:
        code = compile(tree, cell.filename, mode, self.future, dont_inherit=True)
        self.future |= code.co_flags & _FUTURE
        exec(code, self.namespace)

    def _import(self, cell: Cell, statement: ast.Import | ast.ImportFrom) -> None:
        """Run an import; one that fails is passed over where no cell reads what it would give.

        Notebooks are full of imports that nobody needs any more.
        """
        try:
            self._exec(ast.Module([statement], []), cell, "exec")
        except ImportError as error:
            names = [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
            missing = error.name or ""
            of_torch = isinstance(error, UnsupportedModule) or missing.startswith("torch")
            if of_torch or "*" in names or not self.used.isdisjoint(names):
                raise
            reason = str(error)
            if isinstance(error, ModuleNotFoundError) and missing:
                reason = f"{missing.partition('.')[0]} is not installed"
            told = f"{reason}; no cell uses {', '.join(names)}, so the import is passed over"
            self._notice(cell, statement.lineno, told)


def _display(*values: Any) -> None:
    """What notebooks call to show values before the end of a cell."""
    for value in values:
        sys.stdout.write(f"{value!r}\n")


def _names_read(source: str) -> set[str]:
    """The names that code reads (none where it is no Python: running it will tell)."""
    try:
        tree = parsed(source)
    except SyntaxError:
        return set()
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)}


def _ends_with_semicolon(source: str) -> bool:
    """Whether the last thing in the cell, comments aside, is a semicolon: show no value."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    strings = [token.string for token in tokens if token.type not in _COMMENTS]
    return strings[-1:] == [";"]


class _Headed(io.TextIOBase):
    """An output that writes a heading before the first text."""

    def __init__(self, output: TextIO, heading: str) -> None:
        self.output = output
        self.heading = heading

    def write(self, text: str) -> int:
        if text and self.heading:
            self.output.write(f"{self.heading}\n")
            self.heading = ""
        return self.output.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)


@contextmanager
def _headed(heading: str) -> Iterator[None]:
    """Give what is printed inside the `with` block a heading, if anything is."""
    output = sys.stdout
    sys.stdout = _Headed(output, heading)
    try:
        yield
    finally:
        sys.stdout = output
