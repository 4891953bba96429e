"""Matrix products for compiled programs: BLAS, or loops that keep a block of sums in registers.

Each takes its operands as they lie in memory: in rows, or, where the name says so, turned.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  (what np.dot calls in compiled code)

from tinygrad_mnist import threads
from tinygrad_mnist.kernels.loops import products as blocks

Array = np.ndarray[Any, Any]

threads.limit_again()

_part = numba.njit(error_model="numpy", fastmath={"contract", "reassoc"})


@_part
def blas(a: Array, b: Array, out: Array) -> None:
    """out = a @ b by BLAS; each operand lies in rows or in columns."""
    np.dot(a, b, out)


@_part
def few_columns(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, a and b in rows, b of few columns."""
    blocks.few_columns(a, b, out)


@_part
def few_columns_turned(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, a in columns, b of few columns."""
    blocks.few_columns_of_transposed(a.T, b, out)


@_part
def few_rows_turned(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, a in columns, a of few rows: sums of rows of b, four at a time."""
    depth, rows, columns = a.shape[1], a.shape[0], b.shape[1]
    for i in range(0, rows, 5):
        i = min(i, rows - 5)
        for j in range(columns):
            out[i, j] = out[i + 1, j] = out[i + 2, j] = out[i + 3, j] = out[i + 4, j] = 0
        for k in range(0, depth, 4):
            p0, p1, p2, p3, p4 = a[i, k], a[i + 1, k], a[i + 2, k], a[i + 3, k], a[i + 4, k]
            k1 = k + 1
            q0, q1, q2, q3, q4 = a[i, k1], a[i + 1, k1], a[i + 2, k1], a[i + 3, k1], a[i + 4, k1]
            k2 = k + 2
            r0, r1, r2, r3, r4 = a[i, k2], a[i + 1, k2], a[i + 2, k2], a[i + 3, k2], a[i + 4, k2]
            k3 = k + 3
            s0, s1, s2, s3, s4 = a[i, k3], a[i + 1, k3], a[i + 2, k3], a[i + 3, k3], a[i + 4, k3]
            for j in range(columns):
                x, y, z, w = b[k, j], b[k1, j], b[k2, j], b[k3, j]
                out[i, j] += p0 * x + q0 * y + r0 * z + s0 * w
                out[i + 1, j] += p1 * x + q1 * y + r1 * z + s1 * w
                out[i + 2, j] += p2 * x + q2 * y + r2 * z + s2 * w
                out[i + 3, j] += p3 * x + q3 * y + r3 * z + s3 * w
                out[i + 4, j] += p4 * x + q4 * y + r4 * z + s4 * w


@_part
def few_columns_in_rows(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, b in columns (its transpose in rows), of few columns: sums along both."""
    rows, depth = a.shape
    columns = b.shape[1]
    zero = out.dtype.type(0)
    for i in range(0, rows, 2):
        i = min(i, rows - 2)
        for j in range(0, columns, 5):
            j = min(j, columns - 5)
            s0 = s1 = s2 = s3 = s4 = zero
            t0 = t1 = t2 = t3 = t4 = zero
            for k in range(depth):
                x, y = a[i, k], a[i + 1, k]
                s0 += x * b[k, j]
                s1 += x * b[k, j + 1]
                s2 += x * b[k, j + 2]
                s3 += x * b[k, j + 3]
                s4 += x * b[k, j + 4]
                t0 += y * b[k, j]
                t1 += y * b[k, j + 1]
                t2 += y * b[k, j + 2]
                t3 += y * b[k, j + 3]
                t4 += y * b[k, j + 4]
            out[i, j], out[i, j + 1], out[i, j + 2] = s0, s1, s2
            out[i, j + 3], out[i, j + 4] = s3, s4
            out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2] = t0, t1, t2
            out[i + 1, j + 3], out[i + 1, j + 4] = t3, t4


@_part
def rows_by_rows(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, b in columns: four rows of `a` with four columns of `b`, each in one piece."""
    rows, depth = a.shape
    columns = b.shape[1]
    turned = b.T
    zero = out.dtype.type(0)
    for j in range(0, columns, 4):
        j = min(j, columns - 4)
        for i in range(0, rows, 4):
            i = min(i, rows - 4)
            p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = zero
            r0 = r1 = r2 = r3 = s0 = s1 = s2 = s3 = zero
            for k in range(depth):
                x, y, z, w = a[i, k], a[i + 1, k], a[i + 2, k], a[i + 3, k]
                b0, b1, b2, b3 = turned[j, k], turned[j + 1, k], turned[j + 2, k], turned[j + 3, k]
                p0 += x * b0
                p1 += x * b1
                p2 += x * b2
                p3 += x * b3
                q0 += y * b0
                q1 += y * b1
                q2 += y * b2
                q3 += y * b3
                r0 += z * b0
                r1 += z * b1
                r2 += z * b2
                r3 += z * b3
                s0 += w * b0
                s1 += w * b1
                s2 += w * b2
                s3 += w * b3
            out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = p0, p1, p2, p3
            out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2], out[i + 1, j + 3] = q0, q1, q2, q3
            out[i + 2, j], out[i + 2, j + 1], out[i + 2, j + 2], out[i + 2, j + 3] = r0, r1, r2, r3
            out[i + 3, j], out[i + 3, j + 1], out[i + 3, j + 2], out[i + 3, j + 3] = s0, s1, s2, s3
