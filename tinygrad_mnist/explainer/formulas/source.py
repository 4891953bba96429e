"""Where a function stands in its file: the syntax tree of a lambda or a def, found by its code."""

from __future__ import annotations

import ast
import functools
import linecache
import operator
from typing import Any


class NotShown(ValueError):
    """A formula that cannot be shown from its source."""


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[ast.Lambda | ast.FunctionDef, ...]:
    functions = ast.Lambda | ast.FunctionDef
    return tuple([node for node in ast.walk(ast.parse(text)) if isinstance(node, functions)])


def syntax(function: Any) -> ast.Lambda | ast.FunctionDef:
    """The syntax tree of a function, by the lines and columns that its code bears."""
    code = function.__code__
    try:
        found = _parsed("".join(linecache.getlines(code.co_filename)))
    except SyntaxError as error:
        raise NotShown(f"{code.co_filename} cannot be read") from error
    if code.co_name == "<lambda>":
        spans = [(_size(node), node) for node in found if _holds(node, code)]
        if spans:
            return min(spans, key=operator.itemgetter(0))[1]
    for node in found:
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            if first == code.co_firstlineno:
                return node
    raise NotShown(f"no source of {function.__qualname__} in {code.co_filename}")


def _size(node: ast.expr | ast.FunctionDef) -> tuple[int, int]:
    return (node.end_lineno or 0) - node.lineno, (node.end_col_offset or 0) - node.col_offset


def _holds(node: ast.Lambda | ast.FunctionDef, code: Any) -> bool:
    """Whether a lambda's body holds all the places that its code comes from."""
    if not isinstance(node, ast.Lambda) or node.lineno != code.co_firstlineno:
        return False
    body = node.body
    first = body.lineno, body.col_offset
    last = body.end_lineno, body.end_col_offset
    return all(
        first <= (line, column) and (end, end_column) <= last
        for line, end, column, end_column in code.co_positions()
        if end_column
    )
