"""A tree written for a reader: as plain text, and as MathML that browsers draw."""

from __future__ import annotations

import math
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np

from .tree import UNKNOWN, Tree, binary, number

_WEAK = {"where": 0, "or": 1, "and": 2, "compare": 3, "add": 4, "sub": 4, "neg": 5, "mul": 6,
         "div": 6, "matmul": 6}  # fmt: skip
"""How weakly a kind binds its parts; what is not here binds like a function or is whole."""
_PREFIX, _POWER, _WHOLE = 7, 8, 9
_SIGNS = {"add": " + ", "sub": " − ", "mul": " · ", "div": " / ", "matmul": " ", "and": " and ",
          "or": " or "}  # fmt: skip
_COMPARISONS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥", "<": "<", ">": ">"}
_PREFIXES = {"sum": "Σ", "prod": "Π", "max": "max", "min": "min", "mean": "mean"}
_NAMES = {"log": "ln", "log2": "log₂", "log10": "log₁₀", "asin": "arcsin", "acos": "arccos",
          "atan": "arctan", "asinh": "arsinh", "acosh": "arcosh", "atanh": "artanh"}  # fmt: skip
_AROUND = {"abs": ("|", "|"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}
_SUPERSCRIPTS = dict(zip("0123456789−xy", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ˣʸ", strict=True))


def number_text(value: Any) -> str:
    """A number as short as it can be told: 0.5, 1/6, −2, 10⁻¹²."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    exact = f"{value:.15g}"
    if len(exact) > 8:
        near = Fraction(float(value)).limit_denominator(100)
        exact = str(near) if near and abs(near - value) < 1e-7 * abs(value) else f"{value:.5g}"
    digits, _, exponent = exact.partition("e")
    if exponent:
        power = "10" + _superscript(str(int(exponent)).replace("-", "−"))
        exact = power if digits == "1" else f"{digits} · {power}"
    return exact.replace("-", "−")


def _superscript(text: str) -> str:
    return "".join(_SUPERSCRIPTS[letter] for letter in text)


def _strength(tree: Tree) -> int:
    tree = _plain(tree)
    if tree.kind == "function":
        whole = _WHOLE if tree.name in (*_AROUND, "sigmoid") else _PREFIX
        return _POWER if tree.name in ("exp", "sqrt") else whole
    if tree.kind in _PREFIXES or tree.kind == "pow":
        return _POWER if tree.kind == "pow" else _PREFIX
    if tree.kind == "number" and (tree.value < 0 or " " in number_text(tree.value)):
        return _WEAK["neg"]
    if tree.kind == "number" and "/" in number_text(tree.value):
        return _WEAK["div"]
    return _WEAK.get(tree.kind, _WHOLE)


def text(tree: Tree) -> str:
    """The formula in Unicode: `g · y`, `e⁻ˣ`, `√(1 − x²)`."""
    tree = _plain(tree)
    kind, parts = tree.kind, tree.parts
    if kind in ("value", "attribute"):
        return tree.name
    if kind == "number":
        return tree.name or number_text(tree.value)
    if kind == "neg":
        return "−" + _at_least(parts[0], _WEAK["mul"])
    if kind in _SIGNS:
        return _joined(tree, _SIGNS[kind])
    if kind == "compare":
        return _joined(tree, f" {_COMPARISONS[tree.name]} ")
    if kind == "where":
        condition, chosen, other = map(text, parts)
        chosen = f"({chosen})" if parts[1].kind == "where" else chosen
        last = "" if parts[2].kind == "where" else " elsewhere"
        return f"{chosen} where {condition}, {other}{last}"
    if kind == "pow":
        return _power(parts[0], parts[1])
    if kind == "function":
        return _function(tree.name, parts[0])
    if kind in _PREFIXES:
        return f"{_PREFIXES[kind]} {_at_least(parts[0], _PREFIX)}"
    if kind == "transpose":
        return _at_least(parts[0], _WHOLE) + "ᵀ"
    name = {"maximum": "max", "minimum": "min"}.get(kind, kind)
    return f"{tree.name or name}({', '.join(map(text, _shown(tree)))})"


def _shown(tree: Tree) -> list[Tree]:
    """The arguments of what is written as a function; of a call those that are no settings."""
    return [part for part in tree.parts if tree.kind != "call" or part.kind != "attribute"]


def _plain(tree: Tree) -> Tree:
    """log1p and expm1 as they are written: ln(1 + x), eˣ − 1."""
    if tree.kind != "function" or tree.name not in ("log1p", "expm1"):
        return tree
    if tree.name == "log1p":
        return Tree("function", (binary("add", number(1), tree.parts[0]),), "log")
    return Tree("sub", (Tree("function", tree.parts, "exp"), number(1)))


def _at_least(tree: Tree, strength: int) -> str:
    return text(tree) if _strength(tree) >= strength else f"({text(tree)})"


def _joined(tree: Tree, sign: str) -> str:
    first, second = tree.parts
    strength = _WEAK[tree.kind]
    left = _at_least(first, 5 if strength == _WEAK["mul"] else strength)
    tight = tree.kind in ("sub", "div", "compare") or second.kind in ("neg", "div", "number")
    return left + sign + _at_least(second, strength + tight)


def _power(base: Tree, exponent: Tree) -> str:
    raised = text(exponent)
    left = _at_least(base, _WHOLE)
    if all(letter in _SUPERSCRIPTS for letter in raised):
        return left + _superscript(raised)
    return f"{left}^{_at_least(exponent, _WHOLE)}"


def _function(name: str, of: Tree) -> str:
    if name == "exp":
        return _power(Tree("value", name="e"), of)
    if name in _AROUND:
        left, right = _AROUND[name]
        return f"{left}{text(of)}{right}"
    if name == "sqrt":
        return "√" + _at_least(of, _WHOLE)
    if name == "sigmoid":
        return f"sigmoid({text(of)})"
    shown = _NAMES.get(name, name)
    inner = _at_least(of, _PREFIX)
    return shown + (inner if inner.startswith("(") else f" {inner}")


def mathml(tree: Tree, left: str = "") -> str:
    """A `<math>` element; `left` is MathML of what it equals."""
    equals = f"{left}<mo>=</mo>" if left else ""
    return f"<math displaystyle='true'><mrow>{equals}{_row(tree)}</mrow></math>"


def sentence(words: str, left: str = "") -> str:
    """A `<math>` element for what is said in words."""
    equals = f"{left}<mo>=</mo>" if left else ""
    return f"<math displaystyle='true'><mrow>{equals}<mtext>{escape(words)}</mtext></mrow></math>"


def name(shown: str) -> str:
    """A name: one letter slanted, a word upright."""
    return f"<mi>{escape(shown)}</mi>"


def derivative_of(argument: str) -> str:
    """∂L/∂argument"""
    return (
        f"<mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo>{name(argument)}</mrow></mfrac>"
    )


_ROW_SIGNS = {"add": "+", "sub": "−", "mul": "·", "and": "and", "or": "or"}


def _row(tree: Tree) -> str:
    tree = _plain(tree)
    kind, parts = tree.kind, tree.parts
    if kind in ("value", "attribute"):
        return name(tree.name)
    if kind == "number":
        return _number(tree)
    if kind == "neg":
        return f"<mo form='prefix'>−</mo>{_within(parts[0], _WEAK['mul'])}"
    if kind == "div":
        return f"<mfrac>{_grouped(parts[0])}{_grouped(parts[1])}</mfrac>"
    if kind == "where":
        return _cases(tree)
    if kind == "pow":
        return f"<msup>{_grouped(parts[0], _WHOLE)}{_grouped(parts[1])}</msup>"
    if kind == "function":
        return _function_row(tree.name, parts[0])
    if kind in _PREFIXES:
        sign = {"Σ": "∑", "Π": "∏"}.get(_PREFIXES[kind])
        shown = f"<mo>{sign}</mo>" if sign else f"<mi>{_PREFIXES[kind]}</mi><mspace width='0.2em'/>"
        return shown + _within(parts[0], _PREFIX)
    if kind == "transpose":
        return f"<msup>{_grouped(parts[0], _WHOLE)}<mo>⊤</mo></msup>"
    if kind == "compare" or kind in _ROW_SIGNS or kind == "matmul":
        return _joined_row(tree)
    shown = tree.name or {"maximum": "max", "minimum": "min"}.get(kind, kind)
    arguments = "<mo>,</mo>".join(map(_row, _shown(tree)))
    return f"{name(shown)}<mo>(</mo>{arguments}<mo>)</mo>"


def _joined_row(tree: Tree) -> str:
    first, second = tree.parts
    strength = _WEAK[tree.kind]
    left = _within(first, 5 if strength == _WEAK["mul"] else strength)
    tight = tree.kind in ("sub", "compare") or second.kind == "neg"
    if tree.kind == "matmul":
        sign = "<mspace width='0.2em'/>"
    else:
        sign = f"<mo>{escape(_ROW_SIGNS.get(tree.kind) or _COMPARISONS[tree.name])}</mo>"
    return left + sign + _within(second, strength + tight)


def _within(tree: Tree, strength: int) -> str:
    fraction = tree.kind == "div"
    if fraction or _strength(tree) >= strength:
        return _row(tree)
    return f"<mo>(</mo>{_row(tree)}<mo>)</mo>"


def _grouped(tree: Tree, strength: int = 0) -> str:
    weak = _strength(tree) < strength
    return f"<mrow>{'<mo>(</mo>' * weak}{_row(tree)}{'<mo>)</mo>' * weak}</mrow>"


def _number(tree: Tree) -> str:
    shown = tree.name or number_text(tree.value)
    if shown.isalpha():
        return f"<mi>{shown}</mi>"
    if "/" in shown:
        above, below = shown.split("/")
        return f"<mfrac><mn>{above}</mn><mn>{below}</mn></mfrac>"
    return f"<mn>{escape(shown)}</mn>"


_WHERE = "<mtext>where</mtext><mspace width='0.3em'/>"


def _cases(tree: Tree) -> str:
    condition, chosen, other = tree.parts
    rows = [(_row(chosen), f"{_WHERE}{_row(condition)}")]
    while other.kind == "where":
        condition, chosen, other = other.parts
        rows.append((_row(chosen), f"{_WHERE}{_row(condition)}"))
    rows.append((_row(other), "<mtext>elsewhere</mtext>"))
    cells = "".join(
        f"<mtr><mtd><mrow>{value}</mrow></mtd><mtd><mrow>{when}</mrow></mtd></mtr>"
        for value, when in rows
    )
    return f"<mrow><mo>{{</mo><mtable>{cells}</mtable></mrow>"


def _function_row(called: str, of: Tree) -> str:
    if called == "exp":
        return f"<msup><mi>e</mi>{_grouped(of)}</msup>"
    if called == "sqrt":
        return f"<msqrt>{_row(of)}</msqrt>"
    if called in _AROUND:
        left, right = _AROUND[called]
        return f"<mrow><mo>{left}</mo>{_row(of)}<mo>{right}</mo></mrow>"
    if called == "sigmoid":
        return f"<mi>sigmoid</mi><mo>(</mo>{_row(of)}<mo>)</mo>"
    base = {"log2": "2", "log10": "10"}.get(called)
    shown = name(_NAMES.get(called, called))
    if base:
        shown = f"<msub><mi>log</mi><mn>{base}</mn></msub>"
    inner = f"<mo>(</mo>{_row(of)}<mo>)</mo>" if of.kind == "div" else _within(of, _PREFIX)
    return f"{shown}<mspace width='0.1em'/>{inner}"


def static_text(given: Any) -> str:
    """A static value in a few words."""
    if given is UNKNOWN:
        return "…"
    if isinstance(given, np.ndarray):
        return f"{given.dtype} {given.shape}"
    return number_text(given) if isinstance(given, int | float) else str(given)
