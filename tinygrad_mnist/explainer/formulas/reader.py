"""The source of a derivative's formula, read into a tree.

What depends on an array is a tree; all else is static, and known once a call is at hand. Helper
functions and operations within are put in place where they are algebra, else they stand as calls.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_mnist.engine.primitive import Primitive

from .forward import Shape, algebra, says_of, shown_names
from .kinds import known_kind
from .source import NotShown, syntax
from .tree import UNKNOWN, Tree, attribute, binary, negative, number
from .writing import static_text, text

_OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow",
              ast.MatMult: "matmul", ast.BitAnd: "and", ast.BitOr: "or"}  # fmt: skip
_COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
                ast.GtE: ">="}  # fmt: skip
_PYTHON = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
           "pow": operator.pow, "matmul": operator.matmul, "and": operator.and_,
           "or": operator.or_}  # fmt: skip
_DEPTH = 8
"""So many helper functions may stand inside each other."""


@dataclass(frozen=True)
class Static:
    """What is known before any array: a Python value, and the tree that shows it in algebra."""

    value: Any
    tree: Tree


Term = Tree | Static


def static(value: Any, shown: str = "") -> Static:
    """A static value; a number is shown as such, anything else by name."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Static(value, number(value, "π" if value == math.pi else ""))
    return Static(value, attribute(shown or static_text(value), value))


def as_tree(term: Term) -> Tree:
    """A term in algebra."""
    return term if isinstance(term, Tree) else term.tree


def read(function: Any, arguments: Mapping[str, Term], shape: Shape, depth: int = 0) -> Term:
    """What a function gives for these arguments; NotShown where its source is no formula."""
    node = syntax(function)
    reader = _Reader(function, dict(arguments), shape, depth)
    found = reader.visit(node.body) if isinstance(node, ast.Lambda) else reader.run(node.body)
    if found is None:
        raise NotShown(f"{function.__qualname__} returns nothing that can be read")
    return found


class _Reader:
    def __init__(self, function: Any, names: dict[str, Term], shape: Shape, depth: int) -> None:
        self.names, self.shape, self.depth = names, shape, depth
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self.outside = {**vars(builtins), **function.__globals__}
        self.outside |= {name: cell.cell_contents for name, cell in cells}

    def run(self, statements: Sequence[ast.stmt]) -> Term | None:
        """What the first return that is reached gives."""
        for statement in statements:
            if isinstance(statement, ast.Return) and statement.value is not None:
                return self.visit(statement.value)
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.names[statement.targets[0].id] = self.visit(statement.value)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
                self._assign_each(statement.targets[0].elts, statement.value)
            elif isinstance(statement, ast.If):
                branch = statement.body if self.decided(statement.test) else statement.orelse
                found = self.run(branch)
                if found is not None:
                    return found
            elif not isinstance(statement, ast.Expr):
                raise NotShown(ast.unparse(statement))
        return None

    def _assign_each(self, targets: Sequence[ast.expr], value: ast.expr) -> None:
        plain = all(isinstance(target, ast.Name) for target in targets)
        if not isinstance(value, ast.Tuple) or not plain:
            raise NotShown(ast.unparse(value))
        found = [self.visit(each) for each in value.elts]
        for target, term in zip(targets, found, strict=True):
            self.names[ast.unparse(target)] = term

    def decided(self, test: ast.expr) -> bool:
        """What a condition that depends on no array is; NotShown where that is not known yet."""
        found = self.visit(test)
        if isinstance(found, Tree) or found.value is UNKNOWN:
            raise NotShown(ast.unparse(test))
        return bool(found.value)

    def visit(self, node: ast.expr) -> Term:
        """A tree where the expression depends on an array, else a static value."""
        how = getattr(self, f"_{type(node).__name__.lower()}", None)
        found: Term = self.plain(node) if how is None else how(node)
        return found

    def plain(self, node: ast.expr) -> Static:
        """Whatever else depends on no array: what Python makes of it."""
        known = {}
        for name in {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
            term = self.names.get(name)
            if isinstance(term, Tree):
                raise NotShown(ast.unparse(node))
            if term is not None:
                known[name] = term.value
        shown = ast.unparse(node.func if isinstance(node, ast.Call) else node).lstrip("_")
        if any(value is UNKNOWN for value in known.values()):
            return Static(UNKNOWN, attribute(shown))
        code = compile(ast.Expression(node), "<formula>", "eval")
        return static(eval(code, {**self.outside, **known}), shown)

    def _name(self, node: ast.Name) -> Term:
        term = self.names.get(node.id)
        return static(self.outside[node.id], node.id) if term is None else term

    def _binop(self, node: ast.BinOp) -> Term:
        kind = _OPERATORS.get(type(node.op))
        if kind is None:
            return self.plain(node)
        a, b = self.visit(node.left), self.visit(node.right)
        shown = binary(kind, as_tree(a), as_tree(b))
        if isinstance(a, Tree) or isinstance(b, Tree):
            return shown
        if a.value is UNKNOWN or b.value is UNKNOWN:
            return Static(UNKNOWN, shown)
        value = _PYTHON[kind](a.value, b.value)
        whole = isinstance(value, int) and a.tree.kind == b.tree.kind == "number"
        return (
            static(value) if whole or not isinstance(value, int | float) else Static(value, shown)
        )

    def _unaryop(self, node: ast.UnaryOp) -> Term:
        of = self.visit(node.operand)
        if isinstance(node.op, ast.USub):
            if isinstance(of, Tree):
                return negative(of)
            return Static(UNKNOWN if of.value is UNKNOWN else -of.value, negative(of.tree))
        return Tree("function", (of,), "not") if isinstance(of, Tree) else self.plain(node)

    def _compare(self, node: ast.Compare) -> Term:
        a, b = self.visit(node.left), self.visit(node.comparators[0])
        sign = _COMPARISONS.get(type(node.ops[0]))
        if sign is None and isinstance(a, Tree):  # an array is not None
            return static(isinstance(node.ops[0], ast.IsNot))
        if isinstance(a, Tree) or isinstance(b, Tree):
            return Tree("compare", (as_tree(a), as_tree(b)), sign or "")
        if a.value is UNKNOWN or b.value is UNKNOWN:
            return Static(UNKNOWN, attribute(ast.unparse(node)))
        terms = {"a": a.value, "b": b.value}
        code = ast.Compare(ast.Name("a", ast.Load()), node.ops, [ast.Name("b", ast.Load())])
        return static(eval(ast.unparse(code), terms))

    def _ifexp(self, node: ast.IfExp) -> Term:
        try:
            decided = self.decided(node.test)
        except NotShown:
            branches = self.visit(node.body), self.visit(node.orelse)
            if any(isinstance(branch, Tree) for branch in branches):
                raise
            return Static(UNKNOWN, attribute(ast.unparse(node)))
        return self.visit(node.body if decided else node.orelse)

    def _attribute(self, node: ast.Attribute) -> Term:
        of = self.visit(node.value)
        if isinstance(of, Static):
            if of.value is UNKNOWN:
                return Static(UNKNOWN, attribute(ast.unparse(node)))
            return static(getattr(of.value, node.attr), ast.unparse(node))
        if node.attr in ("mT", "T"):
            return Tree("transpose", (of,))
        if node.attr not in ("ndim", "shape", "size"):
            raise NotShown(ast.unparse(node))
        shape = self.shape(of)
        if shape is None:
            return Static(UNKNOWN, attribute(ast.unparse(node)))
        facts: dict[str, Any] = {"ndim": len(shape), "shape": shape, "size": math.prod(shape)}
        return static(facts[node.attr])

    def _subscript(self, node: ast.Subscript) -> Term:
        of = self.visit(node.value)
        if isinstance(of, Static):
            return self.plain(node)
        return _called(
            "part", operator.getitem, (of, as_tree(self.visit(node.slice))), {}, "x[key]"
        )

    def _call(self, node: ast.Call) -> Term:
        function = self.visit(node.func)
        arguments = [self.visit(each) for each in node.args]
        named = {each.arg or "": self.visit(each.value) for each in node.keywords}
        depends = any(isinstance(each, Tree) for each in (*arguments, *named.values()))
        if isinstance(function, Tree) or (depends and not callable(function.value)):
            raise NotShown(ast.unparse(node))
        if function.value is isinstance and isinstance(arguments[0], Tree):
            return static(False)
        if depends or isinstance(function.value, Primitive):
            return self.called(function.value, arguments, named)
        found = self.plain(node)
        shown = {math.log: "log", math.sqrt: "sqrt"}.get(function.value)
        tree = found.tree if shown is None else Tree("function", (as_tree(arguments[0]),), shown)
        return Static(found.value, tree)

    def called(self, function: Any, arguments: list[Term], named: dict[str, Term]) -> Term:
        """A call on arrays: a kind of its own, the algebra of what is called, or a call."""
        name = getattr(function, "name", function.__name__).strip("_")
        parts = tuple(map(as_tree, arguments))
        statics = {key: term.value for key, term in named.items() if isinstance(term, Static)}
        found: Term | None = known_kind(name, parts, statics)
        if found is not None:
            return found
        if isinstance(function, Primitive):
            given = dict(zip(function.inputs, parts, strict=True))
            letters = {shown: given[name] for name, shown in shown_names(function).items()}
            says: str | None = _of_these(says_of(function), letters)
            found = algebra(function, given, statics, self.shape)
        else:
            says = (function.__doc__ or "").partition("\n")[0].rstrip(".") or None
            says = says and _of_these(
                says, dict(zip(function.__code__.co_varnames, parts, strict=False))
            )
            found = self._inlined(function, arguments, named, says)
        return _called(name, function, parts, statics, says) if found is None else found

    def _inlined(
        self, function: Any, arguments: list[Term], named: dict[str, Term], says: str | None
    ) -> Term | None:
        """What a helper function gives, if that is algebra or the helper says nothing of itself."""
        parameters = function.__code__.co_varnames
        given = {**dict(zip(parameters, arguments, strict=False)), **named}
        try:
            if self.depth > _DEPTH:
                raise NotShown(f"{function.__qualname__} calls itself")
            found = read(function, given, self.shape, self.depth + 1)
        except NotShown:
            if says is None:
                raise
            return None
        return found if says is None or as_tree(found).algebraic else None


def _of_these(says: str, given: Mapping[str, Tree]) -> str:
    """What a function says of itself, with what it is called on in its parameters' places."""
    return re.sub(r"\w+", lambda word: text(given[word[0]]) if word[0] in given else word[0], says)


def _called(
    name: str, function: Any, parts: tuple[Tree, ...], named: Mapping[str, Any], says: str | None
) -> Tree:
    return Tree("call", parts, name, static=named, function=function, says=says)
