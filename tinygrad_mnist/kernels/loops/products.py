"""Matrix products that keep a block of their result in registers."""

from typing import Any

import numpy as np

from .compile import loop, part_of_loops

Array = np.ndarray[Any, Any]


PADDING = 16  # keeps rows of a power of two elements from evicting each other from the cache
SIGNATURE = "void(const float32[:, ::1], const float32[:, ::1], float32[:, ::1])"


@part_of_loops()
def lay_flat(tall: Array, flat: Array) -> None:
    """flat = tallᵀ, column by column."""
    for j in range(tall.shape[1]):
        row = flat[j]
        column = tall[:, j]
        for i in range(tall.shape[0]):
            row[i] = column[i]


@part_of_loops()
def stand_up(flat: Array, tall: Array) -> None:
    """tall = flatᵀ, row by row."""
    for i in range(tall.shape[0]):
        for j in range(tall.shape[1]):
            tall[i, j] = flat[j, i]


@loop(SIGNATURE, fastmath={"contract", "reassoc"})
def few_columns(a: Array, b: Array, out: Array) -> None:
    """out = a @ b for two rows and five columns of out at a time.

    Each of the ten sums runs along a row of `a` and a column of `b`, which is copied to lie in one
    piece. `reassoc` lets LLVM keep several partial sums of each, `contract` fuse the multiply-adds.
    The last blocks overlap those before them rather than be smaller.
    """
    rows, depth = a.shape
    columns = b.shape[1]
    turned = np.empty((columns, depth), b.dtype)
    lay_flat(b, turned)
    for i in range(0, rows, 2):
        i = min(i, rows - 2)
        for j in range(0, columns, 5):
            j = min(j, columns - 5)
            s0 = s1 = s2 = s3 = s4 = a.dtype.type(0)
            t0 = t1 = t2 = t3 = t4 = a.dtype.type(0)
            for k in range(depth):
                x = a[i, k]
                y = a[i + 1, k]
                s0 += x * turned[j, k]
                s1 += x * turned[j + 1, k]
                s2 += x * turned[j + 2, k]
                s3 += x * turned[j + 3, k]
                s4 += x * turned[j + 4, k]
                t0 += y * turned[j, k]
                t1 += y * turned[j + 1, k]
                t2 += y * turned[j + 2, k]
                t3 += y * turned[j + 3, k]
                t4 += y * turned[j + 4, k]
            out[i, j] = s0
            out[i, j + 1] = s1
            out[i, j + 2] = s2
            out[i, j + 3] = s3
            out[i, j + 4] = s4
            out[i + 1, j] = t0
            out[i + 1, j + 1] = t1
            out[i + 1, j + 2] = t2
            out[i + 1, j + 3] = t3
            out[i + 1, j + 4] = t4


@loop(SIGNATURE, fastmath={"contract"})
def few_columns_of_transposed(a: Array, b: Array, out: Array) -> None:
    """out = aᵀ @ b, four rows of `a` and five columns of out at a time.

    The result is gathered transposed, as sums of rows of `a`, which lie in one piece. The number
    of rows must be a multiple of four.
    """
    depth, rows = a.shape
    columns = b.shape[1]
    turned = np.empty((columns, rows + PADDING), b.dtype)
    for j in range(0, columns, 5):
        j = min(j, columns - 5)
        turned[j : j + 5] = 0
        for k in range(0, depth, 4):
            p0, p1, p2, p3, p4 = b[k, j], b[k, j + 1], b[k, j + 2], b[k, j + 3], b[k, j + 4]
            k1 = k + 1
            q0, q1, q2, q3, q4 = b[k1, j], b[k1, j + 1], b[k1, j + 2], b[k1, j + 3], b[k1, j + 4]
            k2 = k + 2
            r0, r1, r2, r3, r4 = b[k2, j], b[k2, j + 1], b[k2, j + 2], b[k2, j + 3], b[k2, j + 4]
            k3 = k + 3
            s0, s1, s2, s3, s4 = b[k3, j], b[k3, j + 1], b[k3, j + 2], b[k3, j + 3], b[k3, j + 4]
            for i in range(rows):
                x = a[k, i]
                y = a[k1, i]
                z = a[k2, i]
                w = a[k3, i]
                turned[j, i] += p0 * x + q0 * y + r0 * z + s0 * w
                turned[j + 1, i] += p1 * x + q1 * y + r1 * z + s1 * w
                turned[j + 2, i] += p2 * x + q2 * y + r2 * z + s2 * w
                turned[j + 3, i] += p3 * x + q3 * y + r3 * z + s3 * w
                turned[j + 4, i] += p4 * x + q4 * y + r4 * z + s4 * w
    stand_up(turned, out)
