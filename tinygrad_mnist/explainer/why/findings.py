"""Why an operation gave zero, or what is not finite: read from the numbers that it saved.

`why_zero` and `why_not_finite` look at one input's gradient, where its formula has just run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.hooks import Bundle, Gradient
from tinygrad_mnist.engine.node import Record
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.unbroadcast import unbroadcast_array

Count = tuple[int, int]


class Finding(NamedTuple):
    """What one operation did to the gradient, or to the numbers."""

    cause: str
    says: str
    elements: Count | None
    """How many numbers of how many."""


class Case(NamedTuple):
    """One input's gradient, and what there was to compute it from."""

    record: Record
    position: int
    g: Array
    """What arrived."""
    result: Array
    """What is passed on."""
    saved: dict[str, Any]
    """What the record keeps, by the names of the inputs, and "out"."""

    @property
    def name(self) -> str:
        """The operation's name."""
        return called(self.record)

    @property
    def name_of_operation(self) -> str:
        """The primitive's name, whatever the record is called."""
        return str(self.record.primitive.name)

    @property
    def zeros(self) -> Count:
        """How many numbers of the result are zero."""
        size = self.result.size
        return size - int(np.count_nonzero(self.result)), size


def called(record: Any) -> str:
    """What a record's operation is called: as the user called it, where that is known."""
    op = record.primitive
    node = type(record).__name__
    title = node.partition("Backward")[0]
    if op is None or op.name in ("never_computed", ""):
        return title
    known = node.rstrip("0123456789") in getattr(op, "nodes", ())
    return str(op.name) if known else f"{op.name} (of {title})"


def of(count: Count) -> str:
    """All 8, both, or 3 of 8.

    >>> of((8, 8)), of((2, 2)), of((3, 8))
    ('all 8', 'both', '3 of 8')
    """
    if count == (2, 2):
        return "both"
    return f"all {count[1]:,}" if count[0] == count[1] > 1 else f"{count[0]:,} of {count[1]:,}"


def for_how_many(count: Count, word: str = "for", which: str = "") -> str:
    """For how many numbers; "" for the only one."""
    return "" if count == (1, 1) else f" {word} {of(count)}{which} numbers"


def numbers(count: Count, what: str = "") -> str:
    """`of` them, and what they do: "3 of 8 numbers are", "the number is".

    >>> numbers((3, 8), "were not above 0"), numbers((1, 1), "were not above 0")
    ('3 of 8 numbers were not above 0', 'the number was not above 0')
    """
    if count != (1, 1):
        return f"{of(count)} numbers {what}".rstrip()
    for many, one in _OF_ONE.items():
        what = re.sub(rf"\b{many}\b", one, what)
    return f"the number {what}".rstrip()


_OF_ONE = {"they are": "it is", "they were": "it was", "are": "is", "were": "was", "lie": "lies",
           "have": "has"}  # fmt: skip


def _array(value: Any) -> Array:
    if isinstance(value, Bundle):
        value = next(iter(value.values()))
    return value._array if isinstance(value, TensorBase) else np.asarray(value)


def _case(record: Record, position: int, gradient: Gradient, result: Gradient) -> Case:
    op: Any = record.primitive
    names = (*op.inputs, "out")
    kept = record.saved if len(record.saved) >= len(names) and not op.variadic else ()
    saved = {n: k[0] for n, k in zip(names, kept, strict=False) if k is not None}
    return Case(record, position, _array(gradient), _array(result), saved)


# Zero


def _dead(case: Case) -> Finding:
    out = np.asarray(case.saved.get("out", case.result))
    count = out.size - int(np.count_nonzero(out)), out.size
    return Finding(
        "dead_relu",
        numbers(
            count,
            f"that went into {case.name} were not above 0, where its derivative is 0: "
            "nothing passes",
        ),
        count,
    )


def _outside(case: Case) -> Finding:
    bounds = [
        f"{name} = {float(value):g}"
        for name, value in {**case.saved, **case.record.attributes}.items()
        if name in ("min", "max", "min_val", "max_val", "lambd", "threshold")
        and value is not None and np.ndim(value) == 0
    ]  # fmt: skip
    between = f" ({', '.join(bounds)})" if bounds else ""
    return Finding(
        "outside",
        numbers(
            case.zeros,
            f"that went into {case.name} lie where it is flat, outside its bounds"
            f"{between}: its derivative is 0 there",
        ),
        case.zeros,
    )


def _saturated(case: Case) -> Finding:
    out = case.saved.get("out")
    dim = case.record.attributes.get("dim")
    if case.name_of_operation.endswith("softmax") and dim is not None:
        g, along = case.g, case.result.shape[dim] if case.result.ndim else 1
        if along == 1:
            text = f"{case.name} over 1 number is always the same, whatever the number is"
            return Finding("constant", text, case.zeros)
        if case.name_of_operation == "softmax" and bool((g == g.take([0], dim)).all()):
            text = "what softmax gives always sums to 1, and only that sum is used"
            return Finding("constant", text, case.zeros)
    told = ""
    if isinstance(out, np.ndarray) and out.size:
        low, high = float(out.min()), float(out.max())
        told = f" (it gave {low:.8g} … {high:.8g})"
    return Finding(
        "saturated",
        numbers(
            case.zeros,
            f"that went into {case.name} are so large that it is flat there{told}: "
            f"its derivative is 0 in {case.result.dtype}",
        ),
        case.zeros,
    )


def _factor(case: Case) -> Array:
    """What the gradient is multiplied by."""
    saved, op = case.saved, case.name_of_operation
    if op == "linear":
        factor = saved.get("weight" if case.position == 0 else "mat1", 1)
    elif op == "div":
        factor = saved.get("input", 1) if case.position else 1 / np.asarray(saved.get("other", 1))
    else:
        names: Any = case.record.primitive
        factor = saved.get(names.inputs[1 - case.position], 1)
    return np.asarray(factor)


def _absolute(case: Case, factor: Array) -> Array | None:
    """What would be passed on, were all numbers positive: nothing cancels then."""
    g, size = np.abs(case.g.astype(np.float64)), np.abs(factor.astype(np.float64))
    kind = case.name_of_operation, case.position
    if kind[0] in ("mul", "div"):
        found = g * size
    elif kind == ("mm", 0):
        found = g @ size.swapaxes(-1, -2)
    elif kind == ("mm", 1):
        found = size.swapaxes(-1, -2) @ g
    elif kind == ("linear", 0):
        found = g @ size
    elif kind == ("linear", 1):
        found = g.reshape(-1, g.shape[-1]).T @ size.reshape(-1, size.shape[-1])
    else:
        return None
    return np.asarray(unbroadcast_array(found, case.result.shape))


def _product(case: Case) -> Finding:
    """Of mul, div and the matrix products: the other factor is zero, or the sum cancels."""
    if case.name_of_operation == "linear" and case.position == 2:
        return _summed(case)
    factor = _factor(case)
    count = (factor.size - int(np.count_nonzero(factor)), factor.size)
    absolute = _absolute(case, factor)
    zeros = case.result == 0
    if count[0] == count[1] or (absolute is not None and not absolute[zeros].any()):
        what = "is the number 0" if factor.size == 1 else f"has {of(count)} numbers equal to 0"
        text = f"{case.name} multiplies it by zero: the other factor {what}"
        return Finding("times_zero", text, case.zeros)
    least = np.finfo(case.result.dtype).smallest_subnormal
    if absolute is not None and (case.g.shape == zeros.shape == factor.shape or
                                 absolute[zeros].max() < least):  # fmt: skip
        return _underflow(case)
    return _summed(case)


SUMS = ("add", "sub", "add_bias", "expand")
"""Operations of which a gradient is only summed, where they broadcast."""


def _summed(case: Case) -> Finding:
    largest = float(np.abs(case.g).max(initial=0))
    return Finding(
        "cancelled",
        f"{case.name} adds up contributions that cancel: what arrives is up to {largest:.4g} in "
        f"size, and sums to 0{for_how_many(case.zeros)}",
        case.zeros,
    )


def _underflow(case: Case) -> Finding:
    smallest = np.finfo(case.result.dtype).smallest_subnormal if case.result.size else 0
    largest = float(np.abs(case.g).max(initial=0))
    return Finding(
        "underflow",
        f"the gradient ({largest:.4g} before {case.name}) became smaller than the smallest "
        f"{case.result.dtype} number, {smallest:.2g}, and so 0",
        case.zeros,
    )


def _not_chosen(case: Case) -> Finding:
    if case.name_of_operation == "where" and "(of " in case.name and "Fill" not in case.name:
        return _other(case)  # a composed operation chooses its slope by where
    zeros, size = case.zeros
    if case.name_of_operation == "nll_loss" and zeros == size:
        text = "nll_loss weighs all targets with 0: they are `ignore_index`, or their weight is 0"
        return Finding("times_zero", text, case.zeros)
    what = numbers(case.zeros, "were")
    if case.result.ndim > 1 and case.name_of_operation == "index":
        rows = len(case.result)
        unused = rows - int(np.count_nonzero(case.result.reshape(rows, -1).any(1)))
        if unused:
            what, zeros = f"{of((unused, rows))} rows were", unused * (size // rows)
    return Finding(
        "not_chosen", f"{what} not chosen by {case.name}: the loss is the same without",
        (zeros, size),
    )  # fmt: skip


def _overwritten(case: Case) -> Finding:
    if case.position:
        text = numbers(case.zeros, "were written where the loss does not look")
        return Finding("not_chosen", text, case.zeros)
    return Finding(
        "overwritten",
        numbers(
            case.zeros, "were overwritten in place, so what they were has no influence any more"
        ),
        case.zeros,
    )


def _flat(case: Case) -> Finding:
    return Finding(
        "flat",
        f"{case.name} goes in steps: its derivative is 0 everywhere, save at the steps",
        case.zeros,
    )


def _of_function(case: Case) -> Finding:
    return Finding(
        "function", f"the backward of {case.name} returned zeros for input {case.position}",
        case.zeros,
    )  # fmt: skip


def _exponential(case: Case) -> Finding:
    out = case.saved.get("out")
    if out is not None and not np.any(out):
        text = f"{case.name} underflowed: its input is so negative that the result is exactly 0"
        return Finding("underflow", text, case.zeros)
    return _underflow(case)


def _power(case: Case) -> Finding:
    exponent, base = case.saved.get("exponent"), case.saved.get("input")
    if case.position == 0 and exponent is not None and not np.any(exponent):
        return Finding("constant", "x to the power 0 is 1, whatever x is", case.zeros)
    if base is not None and np.any(base) and case.zeros[0] == case.zeros[1]:
        return _underflow(case)
    return _other(case)


def _other(case: Case) -> Finding:
    x = case.saved.get("input")
    op: Any = case.record.primitive
    if case.g.shape != case.result.shape and case.zeros[0] == case.zeros[1]:
        return _summed(case)
    at = ""
    if isinstance(x, np.ndarray) and x.shape == case.result.shape:
        at = f", for example at x = {x[case.result == 0].flat[0]:g}"
    of_all, _, title = case.name.partition(" (of ")
    says = f" ({op.says})" if getattr(op, "says", None) and not title else ""
    return Finding(
        "zero_derivative",
        f"the derivative of {title.rstrip(')') or of_all}{says} is 0"
        f"{for_how_many(case.zeros, 'at', ' of its')}{at}",
        case.zeros,
    )


_WHY_ZERO: dict[str, Callable[[Case], Finding]] = {}
for _find, _names in (
    (_dead, "relu"),
    (_outside, "clamp hardtanh hardsigmoid hardswish threshold hardshrink softshrink"),
    (_saturated, "sigmoid tanh softmax log_softmax erf erfc softplus silu log_sigmoid elu"),
    (_product, "mul div mm linear conv2d"),
    (_summed, " ".join(SUMS)),
    (_underflow, "mean cast"),
    (_not_chosen, "where maximum minimum amax amin index gather slice pick diagonal as_strided "
                  "unfold nll_loss"),
    (_overwritten, "index_put copy_slices"),
    (_flat, "floor ceil trunc round sign rounded_div"),
    (_exponential, "exp expm1"),
    (_power, "pow"),
):  # fmt: skip
    _WHY_ZERO.update(dict.fromkeys(_names.split(), _find))


def why_zero(record: Record, position: int, gradient: Gradient, result: Gradient) -> Finding:
    """Why what is passed on has more zeros than what arrived."""
    case = _case(record, position, gradient, result)
    if "function" in record.attributes and "ctx" in record.attributes:
        return _of_function(case)
    if not case.g.size:
        text = f"{case.name} leaves no numbers at all: one of its sizes is 0"
        return Finding("no_numbers", text, case.zeros)
    return _WHY_ZERO.get(record.primitive.name, _other)(case)


# What is not finite

_SLOPE = {
    "sqrt": "the slope of √x at x = 0 is infinite",
    "log": "the slope of ln x at x = 0 is infinite",
    "log2": "the slope of a logarithm at x = 0 is infinite",
    "log10": "the slope of a logarithm at x = 0 is infinite",
    "log1p": "the slope of ln(1 + x) at x = −1 is infinite",
    "div": "it is divided by 0",
    "reciprocal": "1 / x has no slope at x = 0",
    "pow": "this power has an infinite slope at x = 0",
    "asin": "asin has an infinite slope at −1 and 1",
    "acos": "acos has an infinite slope at −1 and 1",
    "atanh": "atanh has an infinite slope at −1 and 1",
    "hypot": "√(x² + y²) has no slope at 0, 0",
    "atan2": "the angle has no slope at 0, 0",
}


def bad_count(array: Array) -> Count:
    """How many numbers are NaN or infinite."""
    return array.size - int(np.count_nonzero(np.isfinite(array))), array.size


def not_finite(array: Array) -> bool:
    """Whether an array of floats holds NaN or an infinity."""
    return array.dtype.kind == "f" and not np.isfinite(array).all()


def why_not_finite(record: Record, position: int, gradient: Gradient, result: Gradient) -> Finding:
    """Why what is passed on is not finite, though what arrived was."""
    case = _case(record, position, gradient, result)
    place = np.unravel_index(int(np.argmin(np.isfinite(case.result))), case.result.shape)
    given = {"g": case.g, **case.saved}
    shown = _element(given, place, case.result.shape)
    slope = _SLOPE.get(record.primitive.name, "")
    if "function" in record.attributes and "ctx" in record.attributes:
        slope = "its own backward returned it"
    if any(not_finite(np.asarray(value)) for value in case.saved.values()):
        slope = "the numbers that went in were not finite already"
    elif "g = 0" in shown.split(", ") and slope:
        slope += ", and 0 (g, from above) times infinity is NaN; to hide its result, as "
        slope += "`where` or a product with 0 does, does not help"
    told = f"the backward of {case.name} gives {case.result[place]:g} at element {_index(place)}"
    told += f", where {shown}" if shown else ""
    told += f": {slope}" if slope else ""
    return Finding("backward_not_finite", told, bad_count(case.result))


def forward_trouble(op: Any, inputs: Any, attributes: Any, output: Any) -> Finding | None:
    """Why a result is not finite, if the inputs were."""
    arrays = {
        name: np.asarray(getattr(value, "_array", value))
        for name, value in zip(_inputs(op, inputs), inputs, strict=True)
        if isinstance(value, TensorBase | np.ndarray | float | int)
    }
    if any(not_finite(array) for array in arrays.values()):
        return None
    out = output._array
    count = bad_count(out)
    if any(array.size == 0 for array in arrays.values()):
        return Finding("empty", f"{op.name} of no numbers at all is NaN", count)
    place = np.unravel_index(int(np.argmin(np.isfinite(out))), out.shape)
    shown = _element(arrays, place, out.shape)
    if op.name in ("mm", "linear", "conv2d", "sum"):
        shown = ", ".join(f"{name} is up to {np.abs(array).max():g} in size"
                          for name, array in arrays.items() if array.size)  # fmt: skip
    at = f" where {shown}" if shown else ""
    hint = ""
    if op.name.startswith("exp") or (np.isinf(out[place]) and not shown):
        hint = f": more than the largest {out.dtype} number, {np.finfo(out.dtype).max:.4g}"
    return Finding(
        "forward_not_finite",
        f"{op.name} gives {out[place]:g}{at} (element {_index(place)}, {numbers(count)}){hint}",
        count,
    )


def _inputs(op: Any, inputs: Any) -> list[str]:
    names = list(getattr(op, "inputs", ()))
    return names if len(names) == len(inputs) else [f"input {n}" for n in range(len(inputs))]


def _element(values: dict[str, Any], place: Any, shape: tuple[int, ...]) -> str:
    """The numbers at one place, of the values that have the shape, or stretch to it."""
    told = []
    for name, value in values.items():
        array = np.asarray(value)
        if array.dtype.kind in "fiub" and array.size:
            try:
                number = np.broadcast_to(array, shape)[place]
            except ValueError:
                continue
            name = {"input": "x", "other": "y", "out": "the result"}.get(name, name)
            told.append(f"{name} = {number:g}")
    return ", ".join(told)


def _index(place: Any) -> str:
    return str([int(each) for each in place])
