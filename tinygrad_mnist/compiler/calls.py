"""The source of an instruction that is no part of a loop: views, products, loops of their own."""

from __future__ import annotations

from .choice import Product
from .nests import write_nest
from .passes.buffers import VIEWS
from .program import Input, Instruction, Value
from .writer import (
    Unsupported,
    Writer,
    array_for,
    as_array,
    layout,
    read_one,
    region_of,
    write_copy,
)

_WINDOW_LOOPS = ("gather_columns", "scatter_columns", "window_sum", "window_spread")

CONVOLUTIONS = ("lay_out", "lay_out_given", "convolve", "convolve_input", "convolve_weight")
"""Loops of `kernels.image_loops`."""

UPDATES = ("add_product", "sub_product")

_WINDOWS = ("sizes", "kernel", "stride", "start", "counts")

_POOLING = {
    "place_of_max": "place_of_max",
    "place_of_part_max": "place_of_part_max",
    "pick_places": "pick",
    "put_places": "put_back",
}


def write_call(writer: Writer, i: Instruction) -> None:
    """Write one instruction; raise Unsupported if the source cannot spell it."""
    if i.op in VIEWS:
        _write_view(writer, i)
    elif i.op in _POOLING:
        images = [as_array(writer, value) for value in i.inputs]
        settings = [str(setting) for setting in i.attributes.values()]
        arguments = ", ".join([*images, array_for(writer, i.output), *settings])
        writer.line(f"pooling.{_POOLING[i.op]}({arguments})")
    elif i.op in _WINDOW_LOOPS or i.op in CONVOLUTIONS:
        windows = ", ".join(str(i.attributes[name]) for name in _WINDOWS)
        given = ", ".join([_in_rows(writer, value) for value in i.inputs])
        module = "image_loops" if i.op in CONVOLUTIONS else "images"
        writer.line(f"{module}.{i.op}({given}, {array_for(writer, i.output)}, {windows})")
    elif i.op == "mm" and i.output.dtype.kind == "f":
        _write_product(writer, i)
    elif i.op in UPDATES:
        _write_update(writer, i)
    elif i.op == "bmm":
        _write_products(writer, i)
    else:
        write_nest(writer, i)


def _write_view(writer: Writer, i: Instruction) -> None:
    given, out = i.inputs[0], i.output
    if given not in writer.places and out.size == 1:
        writer.line(f"{out.name} = {given.name}")
        return
    place = as_array(writer, given)
    if i.op == "permute":
        dims = i.attributes["dims"]
        text = f"{place}.T" if dims == (1, 0) else f"np.transpose({place}, {dims})"
    elif i.op == "slice":
        text = f"{place}[{region_of(i.attributes['key'])}]"
    elif layout(writer, given) == "C":
        text = f"{place}.reshape({out.shape})"
    else:
        text = f"np.ascontiguousarray({place}).reshape({out.shape})"
    writer.line(f"{out.name} = {text}")
    if i.op != "slice" or out.shape:
        writer.places[out] = out.name


def _write_product(writer: Writer, i: Instruction) -> None:
    a, b = (_operand(writer, value) for value in i.inputs)
    place = array_for(writer, i.output)
    writer.line(f"products.{_product(writer, i.inputs[0], i.inputs[1])}({a}, {b}, {place})")


def _write_update(writer: Writer, i: Instruction) -> None:
    """A multiple of a product, added to a parameter where it lies."""
    target, first, second, number = i.inputs
    place = array_for(writer, i.output)
    if place != writer.places[target]:
        write_copy(writer, place, writer.places[target], target.shape)
    a, b = _operand(writer, first), _operand(writer, second)
    sign = "-" if i.op == "sub_product" else ""
    function = _product(writer, first, second, added=True)
    writer.line(f"products.{function}({a}, {b}, {place}, {sign}{read_one(writer, number)})")


def _write_products(writer: Writer, i: Instruction) -> None:
    """A product for each of a batch of matrices."""
    if i.output.dtype.kind != "f":
        raise Unsupported(i.op)
    for value in i.inputs:
        place = as_array(writer, value)
        text = place if layout(writer, value) == "C" else f"np.ascontiguousarray({place})"
        writer.line(f"{value.name}_b = {text}")
    a, b = (f"{value.name}_b[i]" for value in i.inputs)
    place = array_for(writer, i.output)
    writer.line(f"for i in range({i.output.shape[0]}):")
    writer.line(f"    products.blas({a}, {b}, {place}[i])")


def _in_rows(writer: Writer, value: Value) -> str:
    place = as_array(writer, value)
    return place if layout(writer, value) == "C" else f"np.ascontiguousarray({place})"


def _operand(writer: Writer, value: Value) -> str:
    """An operand of a product: rows or columns that lie one after the other."""
    place = as_array(writer, value)
    return f"np.ascontiguousarray({place})" if layout(writer, value) == "A" else place


def _product(writer: Writer, a: Value, b: Value, added: bool = False) -> str:
    a_turned, b_turned = (layout(writer, value) == "F" for value in (a, b))
    new = isinstance(a, Input) and not added
    m, k, n = *a.shape, b.shape[1]
    return Product(a_turned, b_turned, m, k, n, a.dtype, new, added).best()
