"""What `help` tells of an operation: found, when it is asked for, by trying the operation out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_mnist import dtypes

from .tensor import wrap

_SHAPES = ((2, 1), (3,))
_EXAMPLES = ([0.25, 0.5, 0.75], [2.0, -1.0, 0.5]), ([1, 2, 6], [3, 2, 4])


class Documentation:
    """The `__doc__` of a class of operations, and of each: its own is made of what it `says`."""

    def __init__(self, of_class: str | None) -> None:
        self.of_class = of_class

    def __get__(self, op: Any, owner: type) -> str | None:
        return self.of_class if op is None else documentation(op)

    def __set__(self, op: Any, says: str | None) -> None:
        op.says = says


def documentation(op: Any) -> str | None:
    """Call, formula, shapes, types, gradients, an example; of an operation without attributes."""
    says: str | None = op.says
    if says is None or op.variadic or op.attributes:
        return says
    letters = ", ".join(f"{x} is `{name}`" for x, name in zip("xy", op.inputs, strict=False))
    call = f"{op.name}{op.__signature__}".replace("'", "")
    facts = "\n".join([_shapes(op), _types(op), _gradients(op)])
    return "\n\n".join([call, f"{says}, where {letters}.", facts, _example(op)])


def _tried(op: Any, *arrays: Any) -> Any:
    """The result on arrays, None where the operation refuses them."""
    try:
        return op(*[wrap(array) for array in arrays[: len(op.inputs)]])
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        return None


def _shapes(op: Any) -> str:
    given = " and ".join(map(str, _SHAPES[: len(op.inputs)]))
    result = _tried(op, *[np.ones(shape, np.int64) for shape in _SHAPES])
    return f"Shapes: {given} give {tuple(result.shape)}."


def _types(op: Any) -> str:
    """Which types stay, and what becomes of the others."""
    gives: dict[str, list[str]] = {}
    for kind in dtypes._ALL:
        result = _tried(op, *[np.ones(1, kind.numpy)] * 2)
        if result is not None:
            becomes = "stay" if result.dtype is kind else f"give {result.dtype.name}"
            gives.setdefault(becomes, []).append(kind.name)
    found = [f"{', '.join(kinds)} {becomes}" for becomes, kinds in gives.items()]
    return f"Types: {'; '.join(found)}."


def _gradients(op: Any) -> str:
    names = " and ".join(f"`{name}`" for name in op.formulas)
    return f"Gradients flow to {names}." if names else "No gradient flows through it."


def _example(op: Any) -> str:
    """A call, and what it printed: of floating-point numbers, where the operation takes them."""
    for rows in _EXAMPLES:
        arrays = [np.array(row, np.float32 if isinstance(row[0], float) else None) for row in rows]
        result = _tried(op, *arrays)
        if result is not None:
            break
    given = ", ".join(f"torch.tensor({row})" for row in rows[: len(op.inputs)])
    return f">>> torch.{op.name}({given})\n{result!r}"
