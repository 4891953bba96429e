"""A piece of code run on both engines, and everything that came of it held side by side.

A piece of code is source text, with `torch`, `np` and `math` at hand; its last line is an
expression, whose value counts. So a table of behaviour is a table of lines as a user types them.
"""

import ast
import math
import textwrap
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch

import tinygrad_mnist

ENGINES = (tinygrad_mnist, torch)


class Outcome(NamedTuple):
    """What became of a piece of code: its value described, or the error it raised."""

    value: Any = None
    error: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()


def _numbers(nested: Any, digits: int | None) -> Any:
    """Nested lists of numbers as text, exact unless `digits` says how many digits count."""
    if isinstance(nested, list):
        return [_numbers(each, digits) for each in nested]
    return repr(nested) if digits is None else f"{nested:.{digits}g}"


def described(value: Any, digits: int | None = None) -> Any:
    """A value in terms that both engines share; of tensors everything that can be asked."""
    if isinstance(value, tinygrad_mnist.Tensor | torch.Tensor):
        facts = {
            "dtype": str(value.dtype),
            "shape": tuple(value.shape),
            "requires_grad": value.requires_grad,
            "is_leaf": value.is_leaf,
            "grad_fn": None if value.grad_fn is None else type(value.grad_fn).__name__,
            "numbers": _numbers(value.tolist(), digits),
        }
        return ("tensor", *facts.items())
    if isinstance(value, np.ndarray | np.generic):
        return type(value).__name__, value.dtype, value.shape, repr(value.tolist())
    if isinstance(value, tinygrad_mnist.Size | torch.Size):
        return "Size", tuple(value)
    if isinstance(value, tuple | list):
        return type(value).__name__, *[described(each, digits) for each in value]
    if isinstance(value, tinygrad_mnist.dtype | torch.dtype | tinygrad_mnist.device | torch.device):
        return str(value)
    return type(value).__name__, repr(value)


def run(source: str, engine: Any, **names: Any) -> Any:
    """The value of the last line of `source`."""
    scope = {"torch": engine, "np": np, "math": math, **names}
    tree = ast.parse(textwrap.dedent(source))
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), "the last line must be an expression"
    exec(compile(tree, source, "exec"), scope)
    return eval(compile(ast.Expression(last.value), source, "eval"), scope)


def outcome(source: str, engine: Any, digits: int | None = None, **names: Any) -> Outcome:
    """What becomes of `source` on one engine; its modes are put back."""
    with warnings.catch_warnings(record=True) as caught, engine.enable_grad():
        warnings.simplefilter("always")
        try:
            value = described(run(source, engine, **names), digits)
        except Exception as error:
            message = str(error).split("\nException raised from")[0]
            return Outcome(None, type(error).__name__, message.replace("tinygrad_mnist", "torch"))
    escaped = [w for w in caught if issubclass(w.category, RuntimeWarning)]
    assert engine is torch or not escaped, f"a NumPy warning escaped: {escaped[0].message}"
    said = [str(w.message) for w in caught if issubclass(w.category, UserWarning | FutureWarning)]
    return Outcome(value, warnings=tuple(text.split(" (Triggered internally")[0] for text in said))


def agree(
    source: str,
    *,
    messages: bool = True,
    warned: bool = False,
    digits: int | None = None,
    **names: Any,
) -> None:
    """Assert that `source` gives the same value, or raises the same error, on both engines.

    `messages`: the error's text must be the same, too; `warned`: so must the warnings. `digits`:
    that many digits of tensors' numbers count, where the last place may differ.
    """
    ours, theirs = (outcome(source, engine, digits, **names) for engine in ENGINES)
    if not messages:
        ours, theirs = ours._replace(message=None), theirs._replace(message=None)
    if not warned:
        ours, theirs = ours._replace(warnings=()), theirs._replace(warnings=())
    assert ours == theirs, source


def lines(text: str) -> list[str]:
    """The pieces of code in a table, one a line; " ; " stands for a new line."""
    found = [line.strip() for line in text.strip().splitlines()]
    return [line.replace(" ; ", "\n") for line in found if line and not line.startswith("#")]
