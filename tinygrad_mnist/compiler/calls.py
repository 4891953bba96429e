"""The source of an instruction that is no part of a loop: views, products, loops over images."""

from __future__ import annotations

from typing import Any

from .choice import best
from .passes.buffers import VIEWS
from .program import Input, Instruction, Value
from .writer import Unsupported, Writer, array_for, is_scattered, is_turned

_IMAGE_LOOPS = ("gather_columns", "scatter_columns", "window_sum", "window_spread")


_WINDOWS = ("sizes", "kernel", "stride", "start", "counts")


def write_call(writer: Writer, i: Instruction) -> None:
    """Write one instruction as a line; raise Unsupported if the source cannot spell it."""
    out = i.output
    for value in i.inputs:
        if value in writer.numbers and value.shape:
            place = array_for(writer, value)
            writer.line(f"{place}[...] = {value.name}")
    if i.op in VIEWS and i.inputs[0] in writer.places:
        given = writer.places[i.inputs[0]]
        if i.op == "permute":
            dims = i.attributes["dims"]
            text = f"{given}.T" if dims == (1, 0) else f"np.transpose({given}, {dims})"
        elif i.op == "slice":
            text = f"{given}[{_key(i.attributes['key'])}]"
        elif is_scattered(writer, i.inputs[0]):
            text = f"np.ascontiguousarray({given}).reshape({out.shape})"
        else:
            text = f"{given}.reshape({out.shape})"
        writer.line(f"{out.name} = {text}")
        writer.places[out] = out.name
        return
    if i.op in _IMAGE_LOOPS and i.inputs[0] in writer.places:
        windows = ", ".join(str(i.attributes[name]) for name in _WINDOWS)
        given = writer.places[i.inputs[0]]
        writer.line(f"images.{i.op}({given}, {array_for(writer, out)}, {windows})")
        return
    if i.op != "mm" or any(v not in writer.places for v in i.inputs):
        raise Unsupported(i.op)
    place = array_for(writer, out)
    a, b = (_operand(writer, v) for v in i.inputs)
    writer.line(f"products.{_product(writer, i)}({a}, {b}, {place})")


def _operand(writer: Writer, value: Value) -> str:
    """An operand of a product: rows or columns that lie one after the other."""
    place = writer.places[value]
    if is_scattered(writer, value) and not is_turned(writer, value):
        return f"np.ascontiguousarray({place})"
    return place


def _key(key: tuple[Any, ...]) -> str:
    """What stands between the brackets; the … that ends a region may be left out."""
    parts = [part for part in key if part is not Ellipsis]
    return ", ".join(_part(part) for part in parts) or ":"


def _part(part: Any) -> str:
    if not isinstance(part, slice):
        return str(part)
    start, stop = ("" if n is None else str(n) for n in (part.start, part.stop))
    return f"{start}:{stop}" if part.step is None else f"{start}:{stop}:{part.step}"


def _product(writer: Writer, i: Instruction) -> str:
    a, b = i.inputs
    a_turned, b_turned = is_turned(writer, a), is_turned(writer, b)
    new = isinstance(a, Input)
    return best(a_turned, b_turned, a.shape[0], a.shape[1], b.shape[1], i.output.dtype, new)
