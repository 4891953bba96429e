"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import blas_threads, dispatch
from .team import bounds, pieces, share

if TYPE_CHECKING:
    from .simd import LANES, ROWS, add_product, add_scaled, load, prefetch, spread, store, sums_of

dispatch.base.uses_vectors(globals())

Array = np.ndarray[Any, Any]

FLOAT32: Final = np.dtype(np.float32)
FEW: Final = (5, 10)
LONG: Final = 32
MOST_ELEMENTS: Final = 1 << 20


def matmul(a: Array, b: Array) -> Array:
    """a @ b.

    BLAS does it, save where a loop was measured to be faster on one thread and no slower on two:
    float32, one side of the product five or ten long, and the large operand of 8192 to 2²⁰
    elements, as a batch of images has. So it is with a batch times the weights of the logistic
    model, whichever way they lie, and with the gradient of the weights.
    """
    large = max(a.size, b.size) >= dispatch.LARGE and a.dtype is b.dtype is FLOAT32
    if large and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
        found = _loop_for(a, b)
        if found is not None and dispatch.base.ready(dispatch.LARGE, FLOAT32):
            name, first, second = found
            out = np.empty((a.shape[0], b.shape[1]), FLOAT32)
            globals()[name](first, second, out)
            return out
    return blas_threads.matmul(a, b)


def _loop_for(a: Array, b: Array) -> tuple[str, Array, Array] | None:
    """The loop that computes a @ b, and its operands, which lie in rows."""
    rows, columns = a.shape[0], b.shape[1]
    if not dispatch.LARGE <= max(a.size, b.size) <= MOST_ELEMENTS:
        return None
    if a.flags.c_contiguous:
        if rows < 4 or columns not in FEW:
            return None
        if b.flags.c_contiguous:
            return "few_columns", a, b
        return ("times_transposed", a, b.T) if b.flags.f_contiguous else None
    if not (a.flags.f_contiguous and b.flags.c_contiguous):
        return None
    if columns in FEW and rows >= LONG:
        return "few_columns_of_transposed", a.T, b
    if rows in FEW and columns >= LONG:
        return "of_transposed", a.T, b
    return None


# The loops keep a block of their result in registers.

Five = tuple[Any, Any, Any, Any, Any]
"""Five registers."""

SIGNATURE = "void(const float32[:, ::1], const float32[:, ::1], float32[:, ::1])"
ADDING = SIGNATURE.replace(")", ", float32)")
MOST = 256
"""How many numbers are summed one after the other."""

_part = dispatch.base.part(fastmath={"contract"})


@_part
def nothing() -> Five:
    """Five sums that are still to come."""
    zero = spread(np.float32(0))
    return zero, zero, zero, zero, zero


@_part
def down(a: Array, i: int, k: int) -> Five:
    """Numbers from `k` on in five rows of `a`."""
    return load(a, i, k), load(a, i + 1, k), load(a, i + 2, k), load(a, i + 3, k), load(a, i + 4, k)


@_part
def along(a: Array, k: int, i: int) -> Five:
    """Five numbers of row `k`, each in all lanes."""
    row = a[k]
    p, q, r, s, t = row[i], row[i + 1], row[i + 2], row[i + 3], row[i + 4]
    return spread(p), spread(q), spread(r), spread(s), spread(t)


@_part
def added(s: Five, x: Any, y: Five) -> Five:
    """Five sums, each with a product more."""
    low = add_product(s[0], x, y[0]), add_product(s[1], x, y[1]), add_product(s[2], x, y[2])
    return *low, add_product(s[3], x, y[3]), add_product(s[4], x, y[4])


@_part
def put_sums(out: Array, i: int, j: int, w: Any, x: Any, y: Any, z: Any) -> None:
    """The sums of all lanes, in column `j` of `ROWS` rows."""
    sums = sums_of(w, x, y, z)
    out[i, j], out[i + 1, j] = sums[0], sums[1]
    if ROWS == 4:
        out[i + 2, j], out[i + 3, j] = sums[2], sums[3]


@_part
def put(out: Array, i: int, j: int, s: Five) -> None:
    """Numbers from `j` on in five rows."""
    store(out, i, j, s[0])
    store(out, i + 1, j, s[1])
    store(out, i + 2, j, s[2])
    store(out, i + 3, j, s[3])
    store(out, i + 4, j, s[4])


@_part
def dots(a: Array, b: Array, out: Array) -> None:
    """out = a @ bᵀ: rows of `a` times five rows of `b`, at least `ROWS` and five of them.

    Lanes run along the rows. The rows of `a` that come next are fetched meanwhile: a batch is in no
    cache yet. The last blocks overlap those before them rather than be smaller.
    """
    blocks = (len(a) + ROWS - 1) // ROWS
    count = pieces(a.size * len(b), blocks // 2)
    share(dots_of_blocks, count, count, blocks, a, b, out)


@_part
def dots_of_blocks(n: int, count: int, blocks: int, a: Array, b: Array, out: Array) -> None:
    """Piece n of the `dots` of so many blocks of rows."""
    rows, depth = a.shape
    whole = depth - depth % LANES
    begin_block, end_block = bounds(n, count, blocks)
    for first in range(begin_block * ROWS, end_block * ROWS, ROWS):
        i = min(first, rows - ROWS)
        for begin in range(0, b.shape[0], 5):
            j = min(begin, b.shape[0] - 5)
            ahead = min(i + ROWS + (ROWS // 2 if begin > 0 else 0), rows - ROWS // 2)
            s = t = u = v = nothing()
            for k in range(0, whole, LANES):
                if begin < 10:
                    prefetch(a, ahead, k)
                    if ROWS == 4:
                        prefetch(a, ahead + 1, k)
                y = down(b, j, k)
                s = added(s, load(a, i, k), y)
                t = added(t, load(a, i + 1, k), y)
                if ROWS == 4:
                    u = added(u, load(a, i + 2, k), y)
                    v = added(v, load(a, i + 3, k), y)
            put_sums(out, i, j, s[0], t[0], u[0], v[0])
            put_sums(out, i, j + 1, s[1], t[1], u[1], v[1])
            put_sums(out, i, j + 2, s[2], t[2], u[2], v[2])
            put_sums(out, i, j + 3, s[3], t[3], u[3], v[3])
            put_sums(out, i, j + 4, s[4], t[4], u[4], v[4])
            for k in range(whole, depth):
                for r in range(i, i + ROWS):
                    for c in range(j, j + 5):
                        out[r, c] += a[r, k] * b[c, k]


@dispatch.base.part()
def add(out: Array, i: int, j: int, s: Five, factor: Any, done: int) -> None:
    """Add multiples, rounded, to numbers from `j` on in five rows; the first are `done`."""
    if done < 1:
        store(out, i, j, add_scaled(load(out, i, j), s[0], factor))
    if done < 2:
        store(out, i + 1, j, add_scaled(load(out, i + 1, j), s[1], factor))
    if done < 3:
        store(out, i + 2, j, add_scaled(load(out, i + 2, j), s[2], factor))
    if done < 4:
        store(out, i + 3, j, add_scaled(load(out, i + 3, j), s[3], factor))
    store(out, i + 4, j, add_scaled(load(out, i + 4, j), s[4], factor))


@_part
def finish(out: Array, i: int, j: int, s: Five, t: Five, scale: Any, done: int, half: bool) -> None:
    """Put the sums of five rows, or add those that are new; `half`: the first lanes are not."""
    if scale is None:
        put(out, i, j, s)
        put(out, i, j + LANES, t)
    else:
        if not half:
            add(out, i, j, s, spread(scale), done)
        add(out, i, j + LANES, t, spread(scale), done)


@dispatch.base.part()
def outer(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out = aᵀ @ b, or, where `scale` is no None, out += scale · aᵀ @ b.

    Lanes run along the rows of `b` and of `out`, at least two registers long; what is added to must
    be a whole number of registers long. `out` has five rows or more. Long sums are made of short
    ones, which loses fewer bits.
    """
    blocks = (b.shape[1] + 2 * LANES - 1) // (2 * LANES)
    count = pieces(out.size * len(a), blocks // 2)
    share(outer_of_blocks, count, count, blocks, a, b, out, scale)


@dispatch.base.part()
def outer_of_blocks(
    n: int, count: int, blocks: int, a: Array, b: Array, out: Array, scale: Any
) -> None:
    """Piece n of the `outer` of so many blocks of columns."""
    first, last = bounds(n, count, blocks)
    if len(a) <= MOST:
        outer_of_few(a, b, out, scale, 2 * LANES * first, 2 * LANES * last, 0)
        return
    part = np.empty((len(out), 2 * LANES), out.dtype)
    sums = np.empty((len(out), 2 * LANES), out.dtype)
    for begin in range(2 * LANES * first, min(2 * LANES * last, b.shape[1]), 2 * LANES):
        left = min(begin, b.shape[1] - 2 * LANES)
        outer_of_few(a[:MOST], b[:MOST], sums, None, begin, begin + 1, left)
        for k in range(MOST, len(a), MOST):
            outer_of_few(a[k : k + MOST], b[k : k + MOST], part, None, begin, begin + 1, left)
            for i in range(len(out)):
                for j in range(2 * LANES):
                    sums[i, j] += part[i, j]
        for i in range(len(out)):
            for j in range(begin - left, 2 * LANES):
                x = sums[i, j]
                out[i, left + j] = x if scale is None else out[i, left + j] + scale * x


@_part
def outer_of_few(
    a: Array, b: Array, out: Array, scale: Any, first: int, last: int, left: int
) -> None:
    """`outer` of columns from `first` to `last`, each sum from first to last in a register.

    Those of `left` stand first in `out`.
    """
    depth, rows = a.shape
    last = min(last, b.shape[1])
    for begin in range(first, last, 2 * LANES):
        j = min(begin, b.shape[1] - 2 * LANES)
        half = begin > j
        i = 0
        while ROWS == 4 and i + 10 <= rows:
            s = t = u = v = nothing()
            for k in range(depth):
                x, y = load(b, k, j), load(b, k, j + LANES)
                p, q = along(a, k, i), along(a, k, i + 5)
                s, t = added(s, x, p), added(t, y, p)
                u, v = added(u, x, q), added(v, y, q)
            finish(out, i, j - left, s, t, scale, 0, half)
            finish(out, i + 5, j - left, u, v, scale, 0, half)
            i += 10
        while i < rows:
            n = min(i, rows - 5)
            s = t = nothing()
            for k in range(depth):
                x, y, p = load(b, k, j), load(b, k, j + LANES), along(a, k, n)
                s, t = added(s, x, p), added(t, y, p)
            finish(out, n, j - left, s, t, scale, i - n, half)
            i += 5


@dispatch.base.part()
def lay_flat(tall: Array, flat: Array) -> None:
    """flat = tallᵀ, column by column."""
    for j in range(tall.shape[1]):
        row = flat[j]
        column = tall[:, j]
        for i in range(tall.shape[0]):
            row[i] = column[i]


@dispatch.base.part()
def stand_up(flat: Array, tall: Array, scale: Any) -> None:
    """tall = flatᵀ, row by row; or, where `scale` is no None, tall += scale · flatᵀ."""
    for i in range(tall.shape[0]):
        for j in range(tall.shape[1]):
            tall[i, j] = flat[j, i] if scale is None else tall[i, j] + scale * flat[j, i]


@dispatch.base.loop(SIGNATURE)
def few_columns(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, where b has few columns: they are laid flat, so that lanes run along them."""
    flat = np.empty((b.shape[1], b.shape[0]), b.dtype)
    lay_flat(b, flat)
    dots(a, flat, out)


@_part
def few_columns_of(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out = aᵀ @ b, or out += scale · aᵀ @ b, where b has few columns, by way of outᵀ."""
    flat = np.empty((b.shape[1], a.shape[1]), b.dtype)
    outer(b, a, flat, None)
    stand_up(flat, out, scale)


@dispatch.base.loop(SIGNATURE)
def few_columns_of_transposed(a: Array, b: Array, out: Array) -> None:
    """out = aᵀ @ b, where b has few columns."""
    few_columns_of(a, b, out, None)


@dispatch.base.loop(ADDING)
def add_few_columns_of_transposed(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out += scale · aᵀ @ b, where b has few columns."""
    few_columns_of(a, b, out, scale)


@dispatch.base.loop(SIGNATURE)
def times_transposed(a: Array, b: Array, out: Array) -> None:
    """out = a @ bᵀ."""
    dots(a, b, out)


@dispatch.base.loop(SIGNATURE)
def of_transposed(a: Array, b: Array, out: Array) -> None:
    """out = aᵀ @ b."""
    outer(a, b, out, None)


@dispatch.base.loop(ADDING)
def add_of_transposed(a: Array, b: Array, out: Array, scale: Any) -> None:
    """out += scale · aᵀ @ b."""
    outer(a, b, out, scale)
