"""The source of an instruction that is no part of a loop: views, products, loops over images."""

from __future__ import annotations

from typing import Any

from .choice import Product
from .passes.buffers import VIEWS
from .program import Input, Instruction, Value
from .writer import Unsupported, Writer, array_for, is_scattered, is_turned, read_one

_IMAGE_LOOPS = ("gather_columns", "scatter_columns", "window_sum", "window_spread")


UPDATES = ("add_product", "sub_product")

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
    if i.op in UPDATES:
        _write_update(writer, i)
        return
    if i.op != "mm" or any(v not in writer.places for v in i.inputs):
        raise Unsupported(i.op)
    place = array_for(writer, out)
    function = _product(writer, i.inputs[0], i.inputs[1])
    a, b = (_operand(writer, v) for v in i.inputs)
    writer.line(f"products.{function}({a}, {b}, {place})")


def _write_update(writer: Writer, i: Instruction) -> None:
    """A multiple of a product, added to a parameter where it lies."""
    target, first, second, number = i.inputs
    place = array_for(writer, i.output)
    if place != writer.places[target]:
        writer.line(f"{place}[...] = {writer.places[target]}")
    a, b = _operand(writer, first), _operand(writer, second)
    sign = "-" if i.op == "sub_product" else ""
    function = _product(writer, first, second, added=True)
    writer.line(f"products.{function}({a}, {b}, {place}, {sign}{read_one(writer, number)})")


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


def _product(writer: Writer, a: Value, b: Value, added: bool = False) -> str:
    a_turned, b_turned = is_turned(writer, a), is_turned(writer, b)
    new = isinstance(a, Input) and not added
    m, k, n = *a.shape, b.shape[1]
    return Product(a_turned, b_turned, m, k, n, a.dtype, new, added).best()
