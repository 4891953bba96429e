"""Lowering: what computes along rows, written in sums, maxima and element-wise operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.compiler.program import (
    IGNORES,
    Constant,
    Instruction,
    Number,
    Program,
    Shape,
    Value,
    shape_of_region,
)
from tinygrad_mnist.ops.views import positions_of_view

Rule = Callable[..., Value]


class Lowering:
    """The instructions that take the place of one, as they are written."""

    def __init__(self, instruction: Instruction) -> None:
        self.instruction = instruction
        self.instructions: list[Instruction] = []
        self.attributes, self.shape = instruction.attributes, instruction.output.shape

    def do(
        self, op: str, *inputs: Any, shape: Any = None, dtype: Any = None, **attributes: Any
    ) -> Value:
        """Write one instruction; shape and type are those of the first input unless given."""
        first = inputs[0]
        operands = tuple(
            [v if isinstance(v, Value) else Number((), first.dtype, number=v) for v in inputs]
        )
        output = Value(first.shape if shape is None else shape, dtype or first.dtype)
        self.instructions.append(self.instruction.instead(op, operands, attributes, output))
        return output

    def along(self, op: str, x: Value, dims: tuple[int, ...]) -> Value:
        """Reduce these dimensions to size 1."""
        shape = tuple([1 if d in dims else size for d, size in enumerate(x.shape)])
        return self.do(op, x, shape=shape, dim=dims, keepdim=True)

    def reshape(self, x: Value, shape: Shape) -> Value:
        """The same numbers in another shape."""
        return x if x.shape == shape else self.do("reshape", x, shape=shape)


def _log_softmax(now: Lowering, x: Value) -> Value:
    dims = (now.attributes["dim"],)
    shifted = now.do("sub", x, now.along("amax", x, dims))
    total = now.along("sum", now.do("exp", shifted), dims)
    return now.do("sub", shifted, now.do("log", total))


def _log_softmax_backward(now: Lowering, grad: Value, out: Value) -> Value:
    total = now.along("sum", grad, (now.attributes["dim"],))
    return now.do("sub", grad, now.do("mul", now.do("exp", out), total))


def _softmax(now: Lowering, x: Value) -> Value:
    dims = (now.attributes["dim"],)
    weights = now.do("exp", now.do("sub", x, now.along("amax", x, dims)))
    return now.do("div", weights, now.along("sum", weights, dims))


def _logsumexp(now: Lowering, x: Value) -> Value:
    """The largest number is taken out, unless it is infinite."""
    dims = now.attributes["dim"]
    peak = now.along("amax", x, dims)
    finite = now.do("isfinite", peak, dtype=np.dtype(np.bool_))
    safe = now.do("where", finite, peak, Number((), x.dtype, number=0), shape=peak.shape,
                  dtype=x.dtype)  # fmt: skip
    total = now.along("sum", now.do("exp", now.do("sub", x, safe)), dims)
    return now.reshape(now.do("add", now.do("log", total), safe), now.shape)


def _nll_loss(now: Lowering, x: Value, target: Value) -> Value:
    rows = x.shape[0]
    reduction = now.attributes["reduction"]
    weights, counts = _weights(now, target, x)
    losses = now.do("pick", x, target, shape=(rows,), **_ignored(now))
    losses = losses if weights is None else now.do("mul", losses, weights)
    if reduction == "none":
        return _counted(now, now.do("neg", losses), counts)
    total = _summed(now, _counted(now, losses, counts))
    if reduction == "mean" and weights is None and counts is None:
        scaled = now.do("mul", total, -1.0 / rows)
    else:
        scaled = now.do("neg", total)
        if reduction == "mean":
            scaled = now.do("div", scaled, _total_weight(now, weights, counts, x))
    return now.do("add", scaled, 0.0)  # a loss of −0 is 0


def _nll_loss_backward(now: Lowering, grad: Value, target: Value) -> Value:
    shape = now.shape
    mean = now.attributes["reduction"] == "mean"
    weights, counts = _weights(now, target, grad)
    if weights is None and counts is None:
        each = now.do("mul", grad, -1.0 / shape[0] if mean else -1.0)
        return now.do("place", each, target, shape=shape)
    each = now.do("neg", grad)
    if mean:
        each = now.do("div", each, _total_weight(now, weights, counts, grad))
    if weights is not None:
        each = now.do("mul", weights, each)
    return now.do("place", _counted(now, each, counts), target, shape=shape, **_ignored(now))


def _ignored(now: Lowering) -> dict[str, int]:
    """The label that there may be although it is out of range."""
    a = now.attributes
    return {IGNORES: a["ignore_index"]} if IGNORES in a else {}


def _weights(now: Lowering, target: Value, like: Value) -> tuple[Value | None, Value | None]:
    """How much each label counts, and whether it does; None where all count alike.

    A label out of range ends the program, but for one that was ignored when it was traced.
    """
    a = now.attributes
    classes = a["shape"][1] if "shape" in a else like.shape[1]
    weight, ignored = a["weight"], a["ignore_index"]
    weights = counts = None
    if 0 <= ignored < classes or IGNORES in a:
        label = Number((), target.dtype, number=ignored)
        counts = now.do("ne", target, label, dtype=np.dtype(np.bool_))
    if weight is not None:
        known = target
        if counts is not None and IGNORES in a:
            nothing = Number((), target.dtype, number=0)
            known = now.do("where", counts, target, nothing, shape=target.shape, dtype=target.dtype)
        weights = now.do("index", weight, shape=target.shape, key=(known,))
    return weights, counts


def _counted(now: Lowering, x: Value, counts: Value | None) -> Value:
    """0 for labels that are ignored, whatever x is."""
    if counts is None:
        return x
    nothing = Number((), x.dtype, number=0)
    return now.do("where", counts, x, nothing, shape=counts.shape, dtype=x.dtype)


def _total_weight(now: Lowering, weights: Value | None, counts: Value | None, like: Value) -> Value:
    one = Number((), like.dtype, number=1)
    return _summed(now, _counted(now, one if weights is None else weights, counts))


def _summed(now: Lowering, x: Value) -> Value:
    return now.do("sum", x, shape=(), dim=(0,), keepdim=False)


def _mean(now: Lowering, x: Value) -> Value:
    attributes, output = now.attributes, now.instruction.output
    if x.size == output.size:
        return now.reshape(x, output.shape)
    total = now.do("sum", x, shape=output.shape, **attributes)
    return now.do("mul", total, output.size / max(x.size, 1))


def _var(now: Lowering, x: Value) -> Value:
    attributes = {name: now.attributes[name] for name in ("dim", "keepdim")}
    centred = _centred(now, x, attributes["dim"])
    total = now.do("sum", now.do("mul", centred, centred), shape=now.shape, **attributes)
    return now.do("div", total, now.attributes["free"])


def _centred(now: Lowering, x: Value, dims: tuple[int, ...]) -> Value:
    count = math.prod([x.shape[d] for d in dims])
    mean = now.do("mul", now.along("sum", x, dims), 1 / max(count, 1))
    return now.do("sub", x, mean)


def _euclidean_norm(now: Lowering, x: Value) -> Value:
    squares = now.do("mul", x, x)
    return now.do("sqrt", now.do("sum", squares, shape=now.shape, **now.attributes))


def _normalised(now: Lowering, x: Value, *given: Value) -> Value:
    out, _ = _standardised(now, x)
    for op, value in zip(("mul", "add"), given, strict=True):
        if not (isinstance(value, Number) and value.number is None):
            over = now.attributes["over"]
            shape = tuple([1 if d in over else size for d, size in enumerate(x.shape)])
            out = now.do(op, out, now.reshape(value, shape))
    return out


def _normalised_backward(now: Lowering, grad: Value, x: Value) -> Value:
    dims = now.attributes["dim"]
    out, inverse = _standardised(now, x)
    count = math.prod([x.shape[d] for d in dims])
    products = now.along("sum", now.do("mul", grad, out), dims)
    shared = now.do("mul", out, now.do("mul", products, 1 / max(count, 1)))
    return now.do("mul", now.do("sub", _centred(now, grad, dims), shared), inverse)


def _standardised(now: Lowering, x: Value) -> tuple[Value, Value]:
    """(x − mean) / √(variance + eps), and what the centred numbers were multiplied by."""
    dims = now.attributes["dim"]
    centred = _centred(now, x, dims)
    squares = now.along("sum", now.do("mul", centred, centred), dims)
    count = math.prod([x.shape[d] for d in dims])
    variance = now.do("mul", squares, 1 / max(count, 1))
    inverse = now.do("reciprocal", now.do("sqrt", now.do("add", variance, now.attributes["eps"])))
    return now.do("mul", centred, inverse), inverse


def _by_labels(name: str) -> Rule:
    """An operation on a row's number at its label."""
    return lambda now, x: now.do(name, x, now.attributes["key"][1], shape=now.shape)


def _put_where(now: Lowering, x: Value, values: Value) -> Value:
    (mask,) = now.attributes["arrays"]
    return now.do("where", mask, values, x, shape=x.shape, dtype=x.dtype)


def _through_view(now: Lowering, x: Value, values: Value | None = None) -> Value:
    """Numbers taken from where a view lies in its base, or put there."""
    i = now.instruction
    whole = i.output.shape if i.op == "as_strided_backward" else x.shape
    array = positions_of_view(whole, i.attributes["steps"])
    places, size = Constant(array.shape, array.dtype, array=array), (math.prod(whole),)
    if i.op == "as_strided_backward":
        given = now.do("index_backward", x, shape=size, key=(places,))
        return now.reshape(given, whole)
    flat = now.reshape(x, size)
    if values is None:
        return now.do("index", flat, shape=i.output.shape, key=(places,))
    put = now.do("index_put", flat, values, shape=size, region=(Ellipsis,), arrays=(places,))
    return now.reshape(put, whole)


def _without_new_dimensions(now: Lowering, x: Value) -> Value:
    """A slice, or its derivative, whose key adds no dimensions: a reshape does."""
    key = tuple([part for part in now.attributes["key"] if part is not None])
    if now.instruction.op == "slice_backward":
        part = now.reshape(x, shape_of_region(now.shape, key))
        return now.do("slice_backward", part, shape=now.shape, key=key)
    taken = now.do("slice", x, shape=shape_of_region(x.shape, key), key=key)
    return now.reshape(taken, now.shape)


def _stack(now: Lowering, *inputs: Value) -> Value:
    dim = now.attributes["dim"]
    parts = [now.reshape(x, (*x.shape[:dim], 1, *x.shape[dim:])) for x in inputs]
    starts = tuple(range(len(inputs) + 1))
    return now.do("cat", *parts, shape=now.shape, dim=dim, starts=starts)


def _add_bias(now: Lowering, x: Value, bias: Value, *_: Value) -> Value:
    return now.do("add", x, bias, shape=now.shape)


def _clamp(now: Lowering, x: Value, low: Value, high: Value) -> Value:
    shape = now.shape
    for op, bound in (("maximum", low), ("minimum", high)):
        if isinstance(bound, Number):
            if bound.number is None:
                continue
            bound = Number((), x.dtype, number=bound.number)
        operands = (x, bound) if bound.shape else (bound, x)
        x = now.do(op, *operands, shape=shape)
    return x


def _place_in_all(now: Lowering, x: Value) -> Value:
    flat = now.reshape(x, (x.size,))
    found = now.do(now.instruction.op, flat, shape=(), dtype=np.dtype(np.int64), dim=0,
                   keepdim=False)  # fmt: skip
    return now.reshape(found, now.shape)


def _linear(now: Lowering, x: Value, weight: Value, bias: Value | None = None) -> Value:
    rows = now.reshape(x, (x.size // x.shape[-1], x.shape[-1]))
    turned = now.do("permute", weight, shape=weight.shape[::-1], dims=(1, 0))
    product = now.do("mm", rows, turned, shape=(rows.shape[0], weight.shape[0]))
    out = product if bias is None else now.do("add", product, bias)
    return now.reshape(out, now.shape)


def _mm(now: Lowering, a: Value, b: Value) -> Value:
    """Products of vectors and of batches of matrices, as products of matrices."""
    shape = now.shape
    if len(a.shape) == 1:
        a = now.reshape(a, (1, *a.shape))
    if len(b.shape) == 1:
        b = now.reshape(b, (*b.shape, 1))
    if len(b.shape) == 2:
        rows = now.reshape(a, (a.size // a.shape[-1], a.shape[-1]))
        return now.reshape(now.do("mm", rows, b, shape=(rows.shape[0], b.shape[1])), shape)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (_batch_of(now, x, batch) for x in (a, b))
    product = now.do("bmm", a, b, shape=(*a.shape[:-1], b.shape[-1]))
    return now.reshape(product, shape)


def _batch_of(now: Lowering, x: Value, batch: Shape) -> Value:
    """Matrices, as many as the batch has, in two dimensions at most."""
    whole = (*batch, *x.shape[-2:])
    spread = x if x.shape == whole else now.do("expand", x, shape=whole)
    return spread if len(batch) < 3 else now.reshape(spread, (math.prod(batch), *x.shape[-2:]))


def _named(name: str) -> Rule:
    """The same operation by another name."""
    return lambda now, *inputs: now.do(name, *inputs, shape=now.shape)


def _rounded_div(now: Lowering, x: Value, other: Value) -> Value:
    shape = now.shape
    if now.attributes["rounding_mode"] == "floor":
        return now.do("floor_divide", x, other, shape=shape)
    if x.dtype.kind == "f":
        return now.do("trunc", now.do("div", x, other, shape=shape))
    rest = now.do("fmod", x, other, shape=shape)
    return now.do("floor_divide", now.do("sub", x, rest, shape=shape), other)


def _reduces_nothing(instruction: Instruction) -> bool:
    """Whether every sum, or maximum, is of one number."""
    given, output = instruction.inputs[0], instruction.output
    return given.size == output.size and given.dtype == output.dtype


def _has_dimensions(instruction: Instruction) -> bool:
    return bool(instruction.output.shape or instruction.inputs[0].shape)


def _puts_where_mask(instruction: Instruction) -> bool:
    """Whether one number is written where a mask of the tensor's shape holds."""
    a, x, values = instruction.attributes, instruction.inputs[0], instruction.inputs[1]
    arrays: tuple[Any, ...] = a["arrays"] or ()
    if len(arrays) != 1 or not isinstance(arrays[0], Value) or values.size != 1:
        return False
    mask = arrays[0]
    return a["region"] == (Ellipsis,) and mask.shape == x.shape and mask.dtype.kind == "b"


def _bounds_alike(instruction: Instruction) -> bool:
    """Whether both bounds are numbers, or of the type of what they bound."""
    x, *bounds = instruction.inputs
    return all(isinstance(b, Number) or b.dtype == x.dtype for b in bounds)


def _takes_one_of_each_row(instruction: Instruction) -> bool:
    """Whether the key is (0, 1, 2, …), labels, for a matrix."""
    key, shape = instruction.attributes["key"], instruction.attributes.get("shape")
    shape = instruction.inputs[0].shape if shape is None else shape
    if len(key) != 2 or len(shape) != 2 or not all(isinstance(part, Value) for part in key):
        return False
    first = key[0]
    return (
        isinstance(first, Constant)
        and first.array.ndim == 1
        and key[1].dtype == np.int64
        and np.array_equal(first.array, np.arange(shape[0]))
    )


def _always(_: Instruction) -> bool:
    return True


_Applies = Callable[[Instruction], bool]
_RULES: dict[str, tuple[tuple[_Applies, Rule], ...]] = {
    **{
        f"a{name}": ((_always, _named(f"arc{name}")),)
        for name in ("cos", "cosh", "sin", "sinh", "tan", "tanh")
    },
    **{
        f"bitwise_{name}": ((lambda i: i.output.dtype.kind == "b", _named(f"logical_{name}")),)
        for name in ("and", "not", "or", "xor")
    },
    **dict.fromkeys(("amax", "amin", "sum"), ((_reduces_nothing, _named("reshape")),)),
    **dict.fromkeys(
        ("argmax", "argmin"), ((lambda i: i.attributes["dim"] is None, _place_in_all),)
    ),
    **dict.fromkeys(
        ("as_strided", "as_strided_backward", "copy_slices"), ((_always, _through_view),)
    ),
    **dict.fromkeys(("cumprod", "cumsum"), ((lambda i: not i.output.shape, _named("reshape")),)),
    **dict.fromkeys(
        ("slice", "slice_backward"),
        ((lambda i: None in i.attributes["key"], _without_new_dimensions),),
    ),
    "add_bias": ((_always, _add_bias),),
    "clamp": ((_bounds_alike, _clamp),),
    "dot": ((_always, _mm),),
    "euclidean_norm": ((_always, _euclidean_norm),),
    "index": ((_takes_one_of_each_row, _by_labels("pick")),),
    "index_backward": ((_takes_one_of_each_row, _by_labels("place")),),
    "index_put": ((_puts_where_mask, _put_where),),
    "linear": ((_always, _linear),),
    "log_softmax": ((_has_dimensions, _log_softmax),),
    "log_softmax_backward": ((_has_dimensions, _log_softmax_backward),),
    "logsumexp": ((_has_dimensions, _logsumexp),),
    "mean": ((_always, _mean),),
    "mm": ((lambda i: any(len(value.shape) != 2 for value in i.inputs), _mm),),
    "root": ((_always, _named("sqrt")),),
    "var": ((_always, _var),),
    "mv": ((_always, _mm),),
    "nll_loss": ((_always, _nll_loss),),
    "nll_loss_backward": ((_always, _nll_loss_backward),),
    "normalised": ((_always, _normalised),),
    "normalised_backward": ((_always, _normalised_backward),),
    "round": ((lambda i: i.attributes["decimals"] == 0, _named("rint")),),
    "rounded_div": ((_always, _rounded_div),),
    "softmax": ((_has_dimensions, _softmax),),
    "stack": ((_always, _stack),),
}
"""For each operation: when a rule applies, and the rule; the first that applies is used."""


def lower(program: Program) -> Program:
    """The program with every composite that has a rule written out."""
    instructions: list[Instruction] = []
    substitutes: dict[Value, Value] = {}
    for instruction in program.instructions:
        rules = _RULES.get(instruction.op, ())
        rule = next((rule for applies, rule in rules if applies(instruction)), None)
        if rule is None:
            instructions.append(instruction)
            continue
        now = Lowering(instruction)
        substitutes[instruction.output] = rule(now, *instruction.inputs)
        instructions += now.instructions
    return program.with_instructions(instructions).replaced(substitutes)
