"""A pass as a graph in Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterator

from tinygrad_mnist.explainer import passes

from .writing import called, shape

__all__ = ["graph"]

_LOOKS = {
    "parameter": 'shape=box, style="rounded,filled", fillcolor="#cfe8cf"',
    "leaf": 'shape=box, style="rounded,filled", fillcolor="#cfe8cf"',
    "input": 'shape=box, style="rounded,filled", fillcolor="#d6e4f5"',
    "constant": 'shape=plaintext, fillcolor="#ffffff"',
    "operation": 'shape=box, style=filled, fillcolor="#f3f3f3"',
}


def graph(found: passes.Pass) -> str:
    """The graph: boxes of modules and functions as clusters, operations with their shapes."""
    lines = [f"digraph {_quoted(found.title)} {{", "  rankdir=TB;", "  node [fontname=Helvetica];"]
    lines += _inside(found, None)
    for node in found.nodes:
        for edge in node.inputs:
            lines.append(f"  n{edge.node} -> n{node.id} [label={_quoted(edge.argument)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _inside(found: passes.Pass, scope: int | None) -> Iterator[str]:
    """The nodes of a scope (None: those of none), and the scopes inside, to any depth."""
    children: dict[int | None, list[passes.Scope]] = {}
    for each in found.scopes:
        children.setdefault(each.parent, []).append(each)
    held: dict[int | None, list[passes.Node]] = {}
    for node in found.nodes:
        held.setdefault(node.scope, []).append(node)
    waiting: list[passes.Scope | str | None] = [None]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
            continue
        if item is not None:
            yield f"  subgraph cluster_{item.id} {{ label={_quoted(item.name)};"
            waiting.append("  }")
        here = None if item is None else item.id
        yield from (_node(node) for node in held.get(here, ()))
        waiting += reversed(children.get(here, []))


def _node(node: passes.Node) -> str:
    label = f"{called(node)}\n{shape(node)}"
    return f"  n{node.id} [label={_quoted(label)}, {_LOOKS[node.kind]}];"


def _quoted(text: str) -> str:
    r"""A string of Graphviz's: quotes and backslashes escaped, a line end as \n.

    >>> from tinygrad_mnist.explainer.output.dot import _quoted
    >>> print(_quoted('say "a"'))
    "say \"a\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\r", "").replace("\n", "\\n") + '"'
