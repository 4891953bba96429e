"""Sums of products of pieces of memory: matrix products whose rows begin anywhere in an array.

Numbers are float32 and lie in one row, (1, numbers). A block of sums is kept in registers.
"""

from typing import Any

import numpy as np

from .compile import part_of_loops
from .lanes import LANES, add_product, load, spread, store, sums_of
from .products import ROWS

Array = np.ndarray[Any, Any]
Four = tuple[Any, Any, Any, Any]
"""Four registers."""

_part = part_of_loops(fastmath={"contract"})


@part_of_loops()
def piece(row: Array, place: int, batch: int) -> Array:
    """The numbers at one place, of all images of a batch that lies last.

    An index into it counts from 0, which LLVM must see to handle several numbers at once.
    """
    return row[place * batch : (place + 1) * batch]


@_part
def whole_blocks(count: int) -> int:
    """The count rounded up to a multiple of eight: room for the last block of `weighted_sums`."""
    return (count + 7) // 8 * 8


@_part
def as_weights(rows: Array) -> Array:
    """A column for each of the rows, and room for whole blocks of them."""
    weights = np.zeros((rows.shape[1], whole_blocks(len(rows))), rows.dtype)
    for i in range(len(rows)):
        for k in range(rows.shape[1]):
            weights[k, i] = rows[i, k]
    return weights


@_part
def nothing() -> Four:
    """Four sums that are still to come."""
    zero = spread(np.float32(0))
    return zero, zero, zero, zero


@_part
def along(row: Array, i: int) -> Four:
    """Four numbers of a row, each in all lanes."""
    return spread(row[i]), spread(row[i + 1]), spread(row[i + 2]), spread(row[i + 3])


@_part
def added(s: Four, x: Any, y: Four) -> Four:
    """Four sums, each with a product more."""
    low = add_product(s[0], x, y[0]), add_product(s[1], x, y[1])
    return *low, add_product(s[2], x, y[2]), add_product(s[3], x, y[3])


@_part
def put(sums: Array, i: int, j: int, s: Four) -> None:
    """Numbers from `j` on in four rows, as far as there are rows."""
    store(sums, i, j, s[0])
    if i + 1 < len(sums):
        store(sums, i + 1, j, s[1])
    if i + 2 < len(sums):
        store(sums, i + 2, j, s[2])
    if i + 3 < len(sums):
        store(sums, i + 3, j, s[3])


@_part
def weighted_sums(
    weights: Array, depth: int, numbers: Array, begins: Array, sums: Array, at: int, count: int
) -> None:
    """sums[i, at + j] = Σₖ weights[k, i] · numbers[0, beginsₖ + j] for k < depth and j < count.

    `weights` are `whole_blocks` of columns, of which the first are those of a row of `sums`. At
    least `LANES` numbers are wanted; the last registers overlap those before them.
    """
    rows = len(sums)
    for begin in range(0, count, 2 * LANES):
        j, m = min(begin, count - LANES), min(begin + LANES, count - LANES)
        i = 0
        while ROWS == 4 and i + 4 < rows:
            s = t = u = v = nothing()
            for k in range(depth):
                x, y = load(numbers, 0, begins[k] + j), load(numbers, 0, begins[k] + m)
                p, q = along(weights[k], i), along(weights[k], i + 4)
                s, t = added(s, x, p), added(t, y, p)
                u, v = added(u, x, q), added(v, y, q)
            put(sums, i, at + j, s)
            put(sums, i, at + m, t)
            put(sums, i + 4, at + j, u)
            put(sums, i + 4, at + m, v)
            i += 8
        while i < rows:
            s = t = nothing()
            for k in range(depth):
                x, y = load(numbers, 0, begins[k] + j), load(numbers, 0, begins[k] + m)
                p = along(weights[k], i)
                s, t = added(s, x, p), added(t, y, p)
            put(sums, i, at + j, s)
            put(sums, i, at + m, t)
            i += 4


@_part
def add_sums(sums: Array, i: int, k: int, s: Four) -> None:
    """Add the sums of all lanes of four registers to four numbers of row `i`, from `k` on."""
    found = sums_of(s[0], s[1], s[2], s[3])
    sums[i, k] += found[0]
    sums[i, k + 1] += found[1]
    sums[i, k + 2] += found[2]
    sums[i, k + 3] += found[3]


@_part
def sums_of_products(
    rows: Array, at: int, count: int, numbers: Array, begins: Array, sums: Array
) -> None:
    """sumsᵢₖ += Σⱼ rows[i, at + j] · numbers[0, beginsₖ + j] for j < count.

    `sums` has whole blocks of rows and of columns; what stands in it beyond the rows and the
    pieces that there are is of no meaning.
    """
    whole = count - count % LANES
    sums_of_rest(rows, at + whole, count - whole, numbers, begins, whole, sums)
    last_row, last = len(rows) - 1, begins.size - 1
    for i in range(0, len(rows), 4):
        i1, i2, i3 = min(i + 1, last_row), min(i + 2, last_row), min(i + 3, last_row)
        for k in range(0, begins.size, 4):
            b0, b1 = begins[k], begins[min(k + 1, last)]
            b2, b3 = begins[min(k + 2, last)], begins[min(k + 3, last)]
            s = t = u = v = nothing()
            for j in range(0, whole, LANES):
                low = load(numbers, 0, b0 + j), load(numbers, 0, b1 + j)
                x = *low, load(numbers, 0, b2 + j), load(numbers, 0, b3 + j)
                s, t = added(s, load(rows, i, at + j), x), added(t, load(rows, i1, at + j), x)
                u, v = added(u, load(rows, i2, at + j), x), added(v, load(rows, i3, at + j), x)
            add_sums(sums, i, k, s)
            add_sums(sums, i + 1, k, t)
            add_sums(sums, i + 2, k, u)
            add_sums(sums, i + 3, k, v)


@part_of_loops()
def sums_of_rest(
    rows: Array, at: int, count: int, numbers: Array, begins: Array, beyond: int, sums: Array
) -> None:
    """`sums_of_products` for what lies `beyond` the beginning of pieces, less than a register."""
    for i in range(len(rows) if count else 0):
        for k in range(begins.size):
            begin = begins[k] + beyond
            for j in range(count):
                sums[i, k] += rows[i, at + j] * numbers[0, begin + j]
