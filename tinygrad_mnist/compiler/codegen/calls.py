"""The source of an instruction that is no part of a loop: views, products, loops of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from tinygrad_mnist.compiler.choices import Product, for_any_size
from tinygrad_mnist.compiler.passes.buffers import VIEWS
from tinygrad_mnist.compiler.program import Instruction, Shape, Value, shape_of_region

from .expressions import EXPRESSIONS, OF_WHOLE_NUMBERS
from .writer import (
    Index,
    Unsupported,
    Writer,
    array_for,
    as_array,
    beginning,
    expression,
    layout,
    lying,
    read_one,
    region_of,
    steps_in_rows,
    stretched,
    summed,
    type_of,
    write_copy,
)

_WINDOW_LOOPS = ("gather_columns", "scatter_columns", "window_sum", "window_spread")

CONVOLUTIONS = ("lay_out", "lay_out_given", "convolve", "convolve_input", "convolve_weight")
"""Loops of `kernels.batch_last`."""

UPDATES = ("add_product", "sub_product")
_WALKS = {"recurrent": "recurrent_walk", "recurrent_backward": "recurrent_walk_back"}
"""Loops of `loops.recurrent`."""

_WINDOWS = ("sizes", "kernel", "stride", "start", "counts")

_POOLING = {
    **{name: name for name in ("place_of_max", "place_of_part_max")},
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
        call = f"images.{_POOLING[i.op]}({arguments})"
        if i.op in ("pick_places", "put_places"):
            writer.line(f"if not {call}:")
            writer.line("    return 0")
        else:
            writer.line(call)
    elif i.op in _WINDOW_LOOPS or i.op in CONVOLUTIONS:
        windows = ", ".join(str(i.attributes[name]) for name in _WINDOWS)
        given = ", ".join([_in_rows(writer, value) for value in i.inputs])
        module = "batch_last" if i.op in CONVOLUTIONS else "images"
        writer.lanes += _lanes(i)
        writer.line(f"{module}.{i.op}({given}, {array_for(writer, i.output)}, {windows})")
    elif i.op == "mm" and i.output.dtype.kind == "f":
        _write_product(writer, i)
    elif i.op in UPDATES:
        _write_update(writer, i)
    elif i.op in _WALKS:
        a = i.attributes
        given = ", ".join([_in_rows(writer, value) for value in (*i.inputs, a["offsets"])])
        out = array_for(writer, i.output)
        writer.line(f"recurrent.{_WALKS[i.op]}({given}, {a['mode']}, {a['reverse']}, {out})")
    elif i.op == "bmm":
        _write_products(writer, i)
    else:
        write_nest(writer, i)


def _lanes(i: Instruction) -> list[int]:
    """How many numbers a convolution works on side by side."""
    a = i.attributes
    _, _, width, batch = a["sizes"]
    if i.op == "convolve_input":
        return [width // a["stride"][1] * batch]
    return [a["counts"][1] * batch] if i.op in ("convolve", "convolve_weight") else []


def _write_view(writer: Writer, i: Instruction) -> None:
    given, out = i.inputs[0], i.output
    if given not in writer.buffers and out.size == 1:
        writer.line(f"{out.name} = {given.name}")
        return
    place = as_array(writer, given)
    if i.op == "permute":
        dims = i.attributes["dims"]
        text = f"{place}.T" if dims == (1, 0) else f"np.transpose({place}, {dims})"
    elif i.op == "slice":
        text = f"{place}[{region_of(i.attributes['key'])}]"
    else:
        text = f"{_in_rows(writer, given)}.reshape({out.shape})"
    writer.line(f"{out.name} = {text}")
    if i.op != "slice" or out.shape:
        writer.buffers[out] = out.name


def _write_product(writer: Writer, i: Instruction) -> None:
    a, b = (_operand(writer, value) for value in i.inputs)
    place = array_for(writer, i.output)
    product = _product(writer, i.inputs[0], i.inputs[1])
    _write_choice(writer, product, "blas", f"({a}, {b}, {place})")


def _write_update(writer: Writer, i: Instruction) -> None:
    """A multiple of a product, added to a parameter where it lies."""
    target, first, second, number = i.inputs
    place = array_for(writer, i.output)
    if place != writer.buffers[target]:
        write_copy(writer, place, writer.buffers[target], target.shape)
    a, b = _operand(writer, first), _operand(writer, second)
    sign = "-" if i.op == "sub_product" else ""
    product = _product(writer, first, second, added=True)
    given = f"({a}, {b}, {place}, {sign}{read_one(writer, number)})"
    _write_choice(writer, product, "add_blas", given)


def _write_choice(writer: Writer, product: Product, always: str, given: str) -> None:
    """A product by the fastest function; by `always` for sizes that this is not for."""
    best = product.best()
    if best == always or not for_any_size():
        writer.line(f"products.{best}{given}")
        return
    for head, name in ((f"if {product.needs(best)}:", best), ("else:", always)):
        with writer.block(head):
            writer.line(f"products.{name}{given}")


def _write_products(writer: Writer, i: Instruction) -> None:
    """A product for each of a batch of matrices, which are read and written where they lie."""
    if i.output.dtype.kind != "f":
        raise Unsupported(i.op)
    *batch, rows, depth = i.inputs[0].shape
    columns = i.inputs[1].shape[-1]
    operands = [_matrices(writer, value) for value in i.inputs]
    place = array_for(writer, i.output)
    at = steps_in_rows(i.output.shape)
    dims = i.attributes.get("dims", tuple(range(len(at))))
    out = place, 0, tuple([at[dims.index(d)] for d in range(len(at))])
    if out[2][-1] != 1:  # the transpose of a product is that of the transposes, the other way round
        operands = [(name, begin, (*at[:-2], at[-1], at[-2])) for name, begin, at in operands[::-1]]
        out = place, 0, (*out[2][:-2], out[2][-1], out[2][-2])
        rows, columns = columns, rows
    counts = ", ".join(map(str, [1] * (2 - len(batch)) + batch))
    given = [
        f"{name}.reshape(-1), ({', '.join(map(str, (begin, *[0] * (4 - len(at)), *at)))})"
        for name, begin, at in (*operands, out)
    ]
    writer.line(f"products.batch(({counts}), ({rows}, {depth}, {columns}), {', '.join(given)})")


def _matrices(writer: Writer, value: Value) -> tuple[str, int, tuple[int, ...]]:
    """An array that holds matrices, where they begin, and how far apart in it numbers lie."""
    whole, begin, at = lying(writer, value)
    if 1 in at[-2:]:
        return as_array(writer, whole), begin, at
    writer.line(f"{value.name}_c = np.ascontiguousarray({as_array(writer, value)})")
    return f"{value.name}_c", 0, steps_in_rows(value.shape)


def _in_rows(writer: Writer, value: Value) -> str:
    place = as_array(writer, value)
    return place if layout(writer, value) == "C" else f"np.ascontiguousarray({place})"


def _operand(writer: Writer, value: Value) -> str:
    """An operand of a product: rows or columns that lie one after the other."""
    place = as_array(writer, value)
    return f"np.ascontiguousarray({place})" if layout(writer, value) == "A" else place


def _product(writer: Writer, a: Value, b: Value, added: bool = False) -> Product:
    a_transposed, b_transposed = (layout(writer, value) == "F" for value in (a, b))
    m, k, n = *a.shape, b.shape[1]
    return Product(a_transposed, b_transposed, m, k, n, a.dtype, added)


# Loop nests: an instruction computed alone, by loops over each of its dimensions.


def _at(index: Index) -> str:
    return ", ".join(index) or "()"


def _read(writer: Writer, value: Value, index: Index) -> str:
    """A number of `value`, which is stretched to where `index` is a place."""
    if value not in writer.buffers:
        return value.name
    return f"{writer.buffers[value]}[{stretched(value, index)}]"


def pointwise(writer: Writer, i: Instruction, place: str) -> None:
    """An element-wise operation whose operands are stretched, each in its own way."""
    if i.op not in EXPRESSIONS and i.op not in OF_WHOLE_NUMBERS:
        raise Unsupported(i.op)
    index = writer.loops(i.output.shape)
    text = expression(i, [_read(writer, value, index) for value in i.inputs])
    writer.line(f"{place}[{_at(index)}] = {text}")


_STEPS = {
    "prod": "{sofar} * {x}",
    "any": "{sofar} or {x} != 0",
    "all": "{sofar} and {x} != 0",
    "count_nonzero": "{sofar} + ({x} != 0)",
    "amax": "{x} if {x} > {sofar} or {x} != {x} else {sofar}",
    "amin": "{x} if {x} < {sofar} or {x} != {x} else {sofar}",
}


def reduction(writer: Writer, i: Instruction, place: str) -> None:
    """Many numbers brought to one, over any dimensions; a NaN is the largest and the smallest."""
    given, out = i.inputs[0], i.output
    dims = i.attributes["dim"]
    kept = [d for d in range(len(given.shape)) if d not in dims]
    writer.line(f"{place}[...] = {type_of(out)}({beginning(i)})")
    index = writer.loops(given.shape)
    reached = [index[d] for d in kept]
    if len(out.shape) == len(given.shape):
        reached = [index[d] if d in kept else "0" for d in range(len(given.shape))]
    target = f"{place}[{_at(reached)}]"
    x = _read(writer, given, index)
    if i.op == "sum":
        writer.line(summed(out.dtype, target, x))
    else:
        writer.line(f"{target} = {_STEPS[i.op].format(sofar=target, x=x)}")


def place_of_extreme(writer: Writer, i: Instruction, place: str) -> None:
    """The first place of the largest or smallest number along a dimension; a NaN is both."""
    given, d = i.inputs[0], i.attributes["dim"]
    index = writer.loops(given.shape, skipped=d)
    best = _read(writer, given, [*index[:d], "found", *index[d + 1 :]])
    x = _read(writer, given, index)
    sign = ">" if i.op == "argmax" else "<"
    writer.line("found = 0")
    writer.line(f"for i{d} in range({given.shape[d]}):")
    writer.line(f"    if {x} {sign} {best} or ({x} != {x} and {best} == {best}):")
    writer.line(f"        found = i{d}")
    reached = [*index[:d], *["0"] * i.attributes["keepdim"], *index[d + 1 :]]
    writer.line(f"{place}[{_at(reached)}] = found")


def running(writer: Writer, i: Instruction, place: str) -> None:
    """Sums or products of the numbers up to each place, in the wider type as eager mode has it."""
    given, d = i.inputs[0], i.attributes["dim"]
    wide = "np.float64" if given.dtype.kind == "f" else type_of(given)
    index = writer.loops(given.shape, skipped=d)
    backward = i.attributes.get("reverse", False)
    order = f"range({given.shape[d] - 1}, -1, -1)" if backward else f"range({given.shape[d]})"
    sign, start = ("+", 0) if i.op == "cumsum" else ("*", 1)
    writer.line(f"sofar = {wide}({start})")
    writer.line(f"for i{d} in {order}:")
    writer.line(f"    sofar = sofar {sign} {_read(writer, given, index)}")
    writer.line(f"    {place}[{_at(index)}] = sofar")


def join(writer: Writer, i: Instruction, place: str) -> None:
    """Arrays one after the other along a dimension."""
    d = i.attributes["dim"]
    pieces = itertools.pairwise(i.attributes["starts"])
    for value, (start, stop) in zip(i.inputs, pieces, strict=True):
        if value.shape == (0,):
            continue
        if d + 1 < len(i.output.shape):
            writer.line(f"part = {place}[{':, ' * d}{start}:{stop}]")
            _fill(writer, "part", value.shape, value)
            continue
        writer.line(f"place = {start}")  # alike loops are one, wherever they begin
        with writer.block():
            *rows, column = writer.loops(value.shape, skipped=d)
            writer.line(f"piece = {place}[{''.join(f'{row}, ' for row in rows)}place:]")
            writer.line(f"for {column} in range({value.shape[d]}):")
            writer.line(f"    piece[{column}] = {_read(writer, value, [*rows, column])}")


def write_nest(writer: Writer, i: Instruction) -> None:
    """Write an instruction as loops over its dimensions; Unsupported if there is no way to."""
    write = NESTS.get(i.op, pointwise)
    with writer.block():
        write(writer, i, array_for(writer, i.output))


def _fill(writer: Writer, target: str, shape: Shape, value: Value) -> None:
    """Write a value, stretched to this shape, into an array."""
    with writer.block():
        index = writer.loops(shape)
        writer.line(f"{target}[{_at(index)}] = {_read(writer, value, index)}")


def region_filled(writer: Writer, i: Instruction, place: str) -> None:
    """Zeros with a region of other numbers, or an array with a region replaced."""
    value, shape = i.inputs[-1], i.output.shape
    key = i.attributes["key" if i.op == "slice_backward" else "region"]
    if any(part is None for part in key):
        raise Unsupported(i.op)
    if i.op == "slice_backward":
        writer.line(f"{place}[...] = 0")
    else:
        _fill(writer, place, shape, i.inputs[0])
    inside = shape_of_region(shape, key)
    if i.op == "index_put" and i.attributes["arrays"] is not None:
        _put_at_places(writer, i, f"{place}[{region_of(key)}]")
    elif inside == ():
        at = "()" if shape == () else region_of(key)
        writer.line(f"{place}[{at}] = {_read(writer, value, ())}")
    else:
        writer.line(f"part = {place}[{region_of(key)}]")
        _fill(writer, "part", inside, value)


def product(writer: Writer, i: Instruction, place: str) -> None:
    """A product of two matrices of whole numbers, which BLAS does not know."""
    (rows, depth), columns = i.inputs[0].shape, i.output.shape[1]
    writer.loops((rows, columns))
    a, b = (
        _read(writer, v, at) for v, at in zip(i.inputs, (("i0", "k"), ("k", "i1")), strict=True)
    )
    writer.line(f"sofar = {type_of(i.output)}(0)")
    writer.line(f"for k in range({depth}):")
    writer.line(f"    sofar += {a} * {b}")
    writer.line(f"{place}[i0, i1] = sofar")


def diagonal(writer: Writer, i: Instruction, place: str) -> None:
    """The numbers along a diagonal of a matrix, or zeros with numbers along it."""
    a, given, out = i.attributes, i.inputs[0].shape, i.output.shape
    vector, matrix = (out, given) if i.op == "diagonal" else (given, out)
    if len(matrix) != 2 or (a["dim1"], a["dim2"]) != (0, 1):
        raise Unsupported(i.op)
    down, across = max(-a["offset"], 0), max(a["offset"], 0)
    if i.op != "diagonal":
        writer.line(f"{place}[...] = 0")
    (index,) = writer.loops(vector)
    at = [f"{index} + {down}", f"{index} + {across}"]
    if i.op == "diagonal":
        writer.line(f"{place}[{index}] = {_read(writer, i.inputs[0], at)}")
    else:
        writer.line(f"{place}[{_at(at)}] = {_read(writer, i.inputs[0], [index])}")


def _places(writer: Writer, key: tuple[object, ...], shape: Shape) -> tuple[Shape, Index]:
    """For x[key], of x with this shape: the shape, and the place in x of each of its numbers."""
    arrays = [part for part in key if isinstance(part, Value)]
    if any(array.dtype.kind not in "iu" for array in arrays):
        raise Unsupported("index with a mask")
    common = np.broadcast_shapes(*[array.shape for array in arrays])
    whole = [*key, *[slice(None)] * (len(shape) - len(key))]
    where = [d for d, part in enumerate(whole) if isinstance(part, Value)]
    together = where[-1] - where[0] < len(where)
    first = where[0] if together else 0
    names = [f"i{first + d}" for d in range(len(common))]
    others = itertools.chain(range(first), itertools.count(first + len(common)))
    place = [
        writer.place_at(part, size, True, names) if isinstance(part, Value) else f"i{next(others)}"
        for part, size in zip(whole, shape, strict=True)
    ]
    rest = [size for size, part in zip(shape, whole, strict=True) if not isinstance(part, Value)]
    return (*rest[:first], *common, *rest[first:]), place


def taken(writer: Writer, i: Instruction, place: str) -> None:
    """x[key], where the key holds arrays of places."""
    given = i.inputs[0]
    shape, source = _places(writer, i.attributes["key"], given.shape)
    index = writer.loops(shape)
    writer.line(f"{place}[{_at(index)}] = {_read(writer, given, source)}")


def given_back(writer: Writer, i: Instruction, place: str) -> None:
    """Zeros with numbers added where `taken` took them."""
    grad, out = i.inputs[0], i.output
    writer.line(f"{place}[...] = 0")
    shape, target = _places(writer, i.attributes["key"], out.shape)
    index = writer.loops(shape)
    writer.line(f"{place}[{_at(target)}] += {_read(writer, grad, index)}")


def _put_at_places(writer: Writer, i: Instruction, region: str) -> None:
    """Numbers written at arrays of places in a region."""
    inside = shape_of_region(i.inputs[0].shape, i.attributes["region"])
    shape, target = _places(writer, i.attributes["arrays"], inside)
    writer.line(f"part = {region}")
    index = writer.loops(shape)
    writer.line(f"part[{_at(target)}] = {_read(writer, i.inputs[1], index)}")


def _along(writer: Writer, index: Value, dim: int, size: int, names: Index) -> Index:
    place = writer.place_at(index, size, False, names)
    return [place if d == dim else name for d, name in enumerate(names)]


def gathered(writer: Writer, i: Instruction, place: str) -> None:
    """out[…, j, …] = x[…, index[…, j, …], …] along a dimension."""
    given, index, dim = i.inputs[0], i.attributes["index"], i.attributes["dim"]
    names = writer.loops(i.output.shape)
    source = _along(writer, index, dim, given.shape[dim], names)
    writer.line(f"{place}[{_at(names)}] = {_read(writer, given, source)}")


def scattered(writer: Writer, i: Instruction, place: str) -> None:
    """Numbers added to an array, or to zeros, where `gathered` takes them."""
    index, dim, added = i.attributes["index"], i.attributes["dim"], i.inputs[-1]
    if i.op == "gather_backward":
        writer.line(f"{place}[...] = 0")
    else:
        _fill(writer, place, i.output.shape, i.inputs[0])
    names = writer.loops(index.shape)
    target = _along(writer, index, dim, i.output.shape[dim], names)
    writer.line(f"{place}[{_at(target)}] += {_read(writer, added, names)}")


NESTS: dict[str, Callable[[Writer, Instruction, str], None]] = {
    **dict.fromkeys(("sum", *_STEPS), reduction),
    "argmax": place_of_extreme,
    "argmin": place_of_extreme,
    "cat": join,
    "cumprod": running,
    "cumsum": running,
    "diagonal": diagonal,
    "diagonal_backward": diagonal,
    "gather": gathered,
    "gather_backward": scattered,
    "index": taken,
    "index_backward": given_back,
    "index_put": region_filled,
    "mm": product,
    "scatter_add": scattered,
    "slice_backward": region_filled,
}
