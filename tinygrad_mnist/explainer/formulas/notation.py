"""The mathematical notation of the operations' docstrings, read into trees.

    x · y      eˣ      1 / (1 + e⁻ˣ)      x − ln Σ eˣ      x Wᵀ + b      x for x > 0, w · x below

What stands after ": " or "; " is a remark. Words that are no names of the operation make it a
sentence, and a sentence no tree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .tree import Tree, binary, negative, number

_TOKEN = re.compile(
    r"\s*([A-Za-zπ][A-Za-z_0-9]*[₀-₉]*|\d+(?:\.\d+)?|[⁻ˣʸ⁰¹²³⁴-⁹]+|[−+·/(),=≠<≤>≥|⌊⌋⌈⌉√ΣΠ^ᵀ∞])"
)
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ˣʸ", "0123456789−xy", strict=True))
_COMPARISONS = {"=": "==", "≠": "!=", "≤": "<=", "≥": ">=", "<": "<", ">": ">"}
_FUNCTIONS = {"ln": "log", "log₂": "log2", "log₁₀": "log10", "√": "sqrt", "not": "not",
              "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arsinh": "asinh",
              "arcosh": "acosh", "artanh": "atanh"}  # fmt: skip
_FUNCTIONS |= {name: name for name in ("sin", "cos", "sinh", "cosh", "tanh", "sigmoid", "trunc")}
_SUMS = {"Σ": "sum", "Π": "prod", "max": "max", "min": "min"}
_FENCES = {"|": ("|", "abs"), "⌊": ("⌋", "floor"), "⌈": ("⌉", "ceil")}


class NotAFormula(ValueError):
    """What was read is a sentence."""


def formula_of(says: str) -> str:
    """What stands before the remark."""
    return re.split(r"[:;] ", says, maxsplit=1)[0]


def read(says: str, names: Mapping[str, Tree], over: Mapping[str, Any]) -> Tree:
    """The tree of what an operation says; NotAFormula where that is a sentence.

    `names` are those of its inputs and attributes as written; `over` is what Σ and the like are
    taken over: `dims` and `keepdim`.
    """
    reader = _Reader(formula_of(says), names, over)
    tree = reader.phrase()
    reader.expect("")
    return tree


class _Reader:
    def __init__(self, says: str, names: Mapping[str, Tree], over: Mapping[str, Any]) -> None:
        self.names, self.over = names, over
        self.tokens: list[str] = []
        place, says = 0, says.rstrip(". ")
        while place < len(says):
            found = _TOKEN.match(says, place)
            if found is None:
                raise NotAFormula(says)
            self.tokens.append(found[1])
            place = found.end()
        self.tokens.append("")

    @property
    def next(self) -> str:
        return self.tokens[0]

    def take(self) -> str:
        return self.tokens.pop(0)

    def took(self, token: str) -> bool:
        if self.next != token:
            return False
        self.take()
        return True

    def expect(self, token: str) -> None:
        if self.next != token:
            raise NotAFormula(f"{self.next!r} where {token!r} was expected")
        if token:
            self.take()

    def phrase(self) -> Tree:
        """`a where c, b elsewhere`, `a for c, b below`, or an expression."""
        first = self.condition()
        if self.next not in ("where", "for"):
            return first
        last = "elsewhere" if self.take() == "where" else "below"
        when = self.condition()
        self.expect(",")
        other = self.condition()
        self.expect(last)
        return Tree("where", (when, first, other))

    def condition(self) -> Tree:
        left = self.comparison()
        while self.next in ("and", "or"):
            left = Tree(self.take(), (left, self.comparison()))
        return left

    def comparison(self) -> Tree:
        if self.took("not"):
            return Tree("function", (self.comparison(),), "not")
        left = self.sum()
        if self.next in _COMPARISONS:
            return Tree("compare", name=_COMPARISONS[self.take()], parts=(left, self.sum()))
        return left

    def sum(self) -> Tree:
        left = negative(self.product()) if self.took("−") else self.product()
        while self.next in ("+", "−"):
            kind = "add" if self.take() == "+" else "sub"
            left = binary(kind, left, self.product())
        return left

    def product(self) -> Tree:
        left = self.factor()
        while True:
            if self.next in ("·", "/"):
                kind = "mul" if self.take() == "·" else "div"
                left = binary(kind, left, self.factor())
            elif self.next in self.names and self.next not in ("where", "for"):
                left = Tree("matmul", (left, self.factor()))
            else:
                return left

    def factor(self) -> Tree:
        token = self.next
        if token in _SUMS and self.tokens[1] != "(":
            return Tree(_SUMS[self.take()], (self.factor(),), static=self.over)
        if token in _FUNCTIONS:
            return Tree("function", (self._operand(),), _FUNCTIONS[token])
        return self.power()

    def _operand(self) -> Tree:
        self.take()
        return self.factor()

    def power(self) -> Tree:
        base = self.atom()
        while self.next and (self.next[0] in _RAISED or self.next in ("^", "ᵀ")):
            token = self.take()
            if token == "ᵀ":
                base = Tree("transpose", (base,))
            else:
                exponent = self.atom() if token == "^" else self._raised(token)
                base = self._to_the(base, exponent)
        return base

    def _to_the(self, base: Tree, exponent: Tree) -> Tree:
        if base.kind == "number" and base.name == "e":
            return Tree("function", (exponent,), "exp")
        return binary("pow", base, exponent)

    def _raised(self, token: str) -> Tree:
        plain = "".join(_RAISED[letter] for letter in token)
        inner = _Reader(plain, self.names, self.over)
        tree = inner.sum()
        inner.expect("")
        return tree

    def _extreme(self, which: str, a: Tree, b: Tree) -> Tree:
        """The larger or smaller of two; a bound that is None in a call bounds nothing."""
        if b.kind == "attribute" and b.value is None:
            return a
        return Tree(which + "imum", (a, b))

    def atom(self) -> Tree:
        token = self.take()
        if token == "(":
            inside = self.phrase()
            self.expect(")")
            return inside
        if token in _FENCES:
            closing, function = _FENCES[token]
            inside = self.condition()
            self.expect(closing)
            return Tree("function", (inside,), function)
        if token in ("max", "min"):
            self.expect("(")
            first = self.condition()
            self.expect(",")
            second = self.condition()
            self.expect(")")
            return self._extreme(token, first, second)
        if token in self.names:
            return self.names[token]
        if token in ("e", "π", "∞"):
            return number({"e": math.e, "π": math.pi, "∞": math.inf}[token], token)
        if not token.replace(".", "").isdigit():
            raise NotAFormula(token)
        return number(float(token) if "." in token else int(token))
