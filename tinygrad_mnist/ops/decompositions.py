"""Matrices solved, inverted and factored: LAPACK's numbers, by NumPy, and their derivatives.

All take batches (…, n, m). An operation of several results is one primitive that gives them side by
side in one array: so one formula has the gradients of all of them at hand.

Source of the formulas: M. Giles, "An extended collection of matrix derivative results" (2008).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_mnist.core.record import Array
from tinygrad_mnist.engine.observer import note_constant
from tinygrad_mnist.engine.outputs import joined_as
from tinygrad_mnist.engine.primitive import primitive
from tinygrad_mnist.engine.tensor import Tensor
from tinygrad_mnist.engine.views import detached_from_base

from .arithmetic import mul
from .arranging import _diagonal_backward
from .casting import zeros
from .conditional import where
from .joining import cat

Shapes = tuple[tuple[int, ...], ...]


class LinAlgError(RuntimeError):
    """What matrices raise that are singular, or not positive-definite; also a RuntimeError."""

    __module__ = "torch.linalg"


def _lower(x: Any, diagonal: int = 0) -> Any:
    """Each matrix, 0 above its diagonal."""
    rows, columns = x.shape[-2:]
    kind = getattr(x, "_array", x).dtype
    return mul(x, note_constant(np.tri(rows, columns, diagonal, dtype=kind)))


def _upper(x: Any, diagonal: int = 0) -> Any:
    """Each matrix, 0 below its diagonal."""
    return _lower(x.mT, -diagonal).mT


def _diagonal_of(x: Any) -> Any:
    """Matrices with the last dimension as their diagonal."""
    sizes = (*x.shape, x.shape[-1])
    return _diagonal_backward(x, sizes=sizes, offset=0, dim1=len(sizes) - 2, dim2=len(sizes) - 1)


def _over(x: Any, y: Any) -> Any:
    """x / y, and 0 where x is: where nothing arrives, equal values divide nothing."""
    nothing = x == 0
    return where(nothing, 0.0, x / where(nothing, 1.0, y))


# Several results in one array


def _packed(*parts: Array) -> Array:
    """The matrices and vectors, those of one place in a batch side by side."""
    lead = max(parts, key=lambda part: part.ndim).shape[:-2]
    return np.concatenate([part.reshape(*lead, -1 if part.size else 0) for part in parts], -1)


def _parts(packed: Any, shapes: Shapes) -> list[Any]:
    """What was packed: its parts in their shapes, without the batch's."""
    found, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        found.append(packed[..., start:end].reshape((*packed.shape[:-1], *shape)))
        start = end
    return found


def _separated(packed: Tensor, shapes: Shapes, name: str) -> tuple[Tensor, ...]:
    """The parts as results of one operation, whose record is called `name`."""
    parts = tuple([detached_from_base(part) for part in _parts(packed, shapes)])
    joined_as(parts, name)
    return parts


# Linear systems


def _infos(routine: str, A: Array, **settings: Any) -> Array:
    """What a routine of LAPACK reports of each matrix: 0, or where it could not go on."""
    import scipy.linalg.lapack

    (of,) = scipy.linalg.lapack.get_lapack_funcs((routine,), (A,))
    found = np.zeros(A.shape[:-2], np.int32)
    for place in np.ndindex(found.shape if A.size else 0):
        found[place] = of(A[place], **settings)[-1]
    return found


def singular(A: Array) -> Any:
    """For each matrix the number of the first 0 among the pivots of its LU factors; 0 for none."""
    return _infos("getrf", A)


def not_positive(A: Array) -> Any:
    """For each matrix the order of the first leading minor that is not positive; 0 for none."""
    return _infos("potrf", A, lower=1)


def _tried(
    of: Callable[..., Array], *matrices: Array, wrong: Callable[[Array], Any], words: str,
    check: bool,
) -> Array:  # fmt: skip
    """`of` each matrix of a batch. Where one has none it is NaN, or with `check` LinAlgError.

    Its `words` name the first such matrix, {batch}, and the {place} that is `wrong` in it.
    """
    try:
        return of(*matrices)
    except np.linalg.LinAlgError:
        if check:
            infos = wrong(matrices[0])
            number = int(np.argmax(infos.reshape(-1) > 0))
            batch = f"(Batch element {number}): " if infos.ndim else ""
            place = infos.reshape(-1)[number]
            raise LinAlgError(words.format(batch=batch, place=place)) from None
    lead = np.broadcast_shapes(*[each.shape[:-2] for each in matrices])
    whole = [np.broadcast_to(each, (*lead, *each.shape[-2:])) for each in matrices]
    found = np.full(whole[-1].shape, np.nan, whole[-1].dtype)
    for place in np.ndindex(lead):
        with contextlib.suppress(np.linalg.LinAlgError):
            found[place] = of(*[each[place] for each in whole])
    return found


@primitive(grad_fn="LinalgSolveExBackward0")
def solved(A: Array, B: Array, *, check: bool) -> Any:
    """what gives B, multiplied by A from the left"""
    words = "torch.linalg.solve: {batch}The solver failed because the input matrix is singular."
    return _tried(np.linalg.solve, A, B, wrong=singular, words=words, check=check)


solved.derivatives(
    A=lambda g, A, out: -solved(A.mT, g, check=False) @ out.mT,
    B=lambda g, A: solved(A.mT, g, check=False),
)


@primitive(grad_fn="LinalgInvExBackward0")
def inverse(A: Array, *, check: bool) -> Any:
    """the inverse of A"""
    words = (
        "linalg.inv: {batch}The diagonal element {place} is zero, the inversion could not be "
        "completed because the input matrix is singular."
    )
    return _tried(np.linalg.inv, A, wrong=singular, words=words, check=check)


inverse.derivatives(A=lambda g, out: -out.mT @ g @ out.mT)


@primitive(grad_fn="LinalgSolveTriangularBackward0")
def solved_triangular(A: Array, B: Array, *, upper: bool, unit: bool) -> Any:
    """what gives B, multiplied by a triangular A from the left: found row by row, the last first"""
    if not upper:
        A, B = A[..., ::-1, ::-1], B[..., ::-1, :]
    lead = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    found = np.zeros((*lead, *B.shape[-2:]), B.dtype)
    for row in range(A.shape[-1] - 1, -1, -1):
        known = A[..., row : row + 1, row + 1 :] @ found[..., row + 1 :, :]
        rest = B[..., row, :] - known[..., 0, :]
        found[..., row, :] = rest if unit else rest / A[..., row, row, None]
    return found if upper else found[..., ::-1, :]


def _solved_triangular_slope(g: Any, A: Any, out: Any, upper: bool, unit: bool) -> Any:
    """−A⁻ᵀ g Xᵀ, its triangle"""
    whole = -solved_triangular(A.mT, g, upper=not upper, unit=unit) @ out.mT
    return _upper(whole, int(unit)) if upper else _lower(whole, -int(unit))


solved_triangular.derivatives(
    A=lambda g, A, out, upper, unit: _solved_triangular_slope(g, A, out, upper, unit),
    B=lambda g, A, upper, unit: solved_triangular(A.mT, g, upper=not upper, unit=unit),
)

# Determinants


@primitive
def cofactors(A: Array) -> Any:
    """det A · A⁻ᵀ, of a singular A too: U · Π of the other singular values · Vᵀ, with its sign"""
    U, S, Vh = np.linalg.svd(A)
    sign = np.linalg.det(U) * np.linalg.det(Vh)
    others = np.where(np.eye(A.shape[-1], dtype=bool), 1, S[..., None, :]).prod(-1)
    return (U * (np.rint(sign)[..., None] * others)[..., None, :]) @ Vh


def _cofactors_slope(g: Any, A: Any, out: Any) -> Any:
    back = inverse(A, check=False).mT
    total = (g * out).sum((-2, -1))[..., None, None]
    return total * back - back @ g.mT @ out


cofactors.derivatives(A=lambda g, A, out: _cofactors_slope(g, A, out))


@primitive(grad_fn="LinalgDetBackward0")
def determinant(A: Array) -> Any:
    """det A"""
    return np.linalg.det(A)


determinant.derivatives(A=lambda g, A: g[..., None, None] * cofactors(A))


@primitive(grad_fn="LinalgSlogdetBackward0")
def log_determinant(A: Array) -> Any:
    """ln |det A|"""
    return np.linalg.slogdet(A)[1]


log_determinant.derivatives(A=lambda g, A: g[..., None, None] * inverse(A, check=False).mT)


@primitive
def determinant_sign(A: Array) -> Any:
    """the sign of det A"""
    return np.linalg.slogdet(A)[0]


determinant_sign.derivatives(A=lambda g, A: zeros(A))


# Factors


@primitive(grad_fn="LinalgCholeskyExBackward0 CholeskyBackward0")
def cholesky_factor(A: Array, *, check: bool) -> Any:
    """L, lower triangular, of A = L Lᵀ"""
    words = (
        "linalg.cholesky: {batch}The factorization could not be completed because the input is not "
        "positive-definite (the leading minor of order {place} is not positive-definite)."
    )
    return _tried(np.linalg.cholesky, A, wrong=not_positive, words=words, check=check)


def _cholesky_slope(g: Any, L: Any) -> Any:
    """L⁻ᵀ P L⁻¹, where P is half the lower triangle of Lᵀ g, mirrored"""
    whole = L.mT @ g
    middle = (_lower(whole) + _lower(whole, -1).mT) / 2
    left = solved_triangular(L.mT, middle, upper=True, unit=False)
    return solved_triangular(L.mT, left.mT, upper=True, unit=False).mT


@primitive
def cholesky_solved(B: Array, L: Array, *, upper: bool) -> Any:
    """what gives B, multiplied by L and its transpose from the left"""
    first, second = (L.mT, L) if upper else (L, L.mT)
    middle = solved_triangular(first, B, upper=False, unit=False)
    return solved_triangular(second, middle, upper=True, unit=False)


def _cholesky_solved_slope(g: Any, L: Any, out: Any, upper: bool) -> Any:
    """−(s + sᵀ) L with s = (L Lᵀ)⁻¹ g Xᵀ"""
    half = cholesky_solved(g, L, upper=upper) @ out.mT
    both = half + half.mT
    return -(L @ both) if upper else -(both @ L)


cholesky_solved.derivatives(
    B=lambda g, L, upper: cholesky_solved(g, L, upper=upper),
    L=lambda g, L, out, upper: _cholesky_solved_slope(g, L, out, upper),
)
cholesky_factor.derivatives(A=lambda g, out: _cholesky_slope(g, out))


@primitive
def qr_factors(A: Array, *, mode: str, parts: Shapes) -> Any:
    """Q and R of A = Q R: QᵀQ = 1, R upper triangular"""
    return _packed(*np.linalg.qr(A, "complete" if mode == "complete" else "reduced"))


def _qr_slope(g: Any, out: Any, mode: str, parts: Shapes) -> Any:
    """(g_Q + Q M) R⁻ᵀ, with M the upper triangle of g_R Rᵀ − Qᵀ g_Q, mirrored"""
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced')"
        )
    (gQ, gR), (Q, R) = _parts(g, parts), _parts(out, parts)
    k, n = parts[1]
    if k > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
        )
    beyond = Q @ gR[..., k:]
    gQ = gQ + (Q @ R[..., k:]) @ gR[..., k:].mT
    R, gR = R[..., :k], gR[..., :k]
    upper = _upper(gR @ R.mT - Q.mT @ gQ)
    mirrored = upper + _upper(upper, 1).mT
    whole = gQ + Q @ mirrored
    square = solved_triangular(R, whole.mT, upper=True, unit=False).mT
    return square if n == k else _beside(square, beyond)


def _beside(x: Any, y: Any) -> Any:
    """Matrices side by side."""
    return np.concatenate([x, y], -1) if isinstance(x, np.ndarray) else cat([x, y], -1)


qr_factors.derivatives(A=lambda g, out, mode, parts: _qr_slope(g, out, mode, parts))


@primitive
def eigh_factors(A: Array, *, upper: bool, parts: Shapes) -> Any:
    """the eigenvalues λ of a symmetric A, in order, and eigenvectors V: A = V diag(λ) Vᵀ"""
    return _packed(*np.linalg.eigh(A, "U" if upper else "L"))


def _eigh_slope(g: Any, out: Any, parts: Shapes) -> Any:
    """V (diag(g_λ) + K / (λⱼ − λᵢ)) Vᵀ, where K is the skew part of Vᵀ g_V"""
    (gL, gV), (L, V) = _parts(g, parts), _parts(out, parts)
    apart = L[..., None, :] - L[..., None]
    inside = V.mT @ gV
    inside = (inside - inside.mT) / 2
    return V @ (_over(inside, apart) + _diagonal_of(gL)) @ V.mT


eigh_factors.derivatives(A=lambda g, out, parts: _eigh_slope(g, out, parts))


@primitive
def svd_factors(A: Array, *, full: bool, parts: Shapes) -> Any:
    """U, the singular values S and Vᵀ of A = U diag(S) Vᵀ"""
    return _packed(*np.linalg.svd(A, full_matrices=full))


def _svd_slope(g: Any, out: Any, parts: Shapes) -> Any:
    """U (skew(UᵀgU) S + S skew(VᵀgV)) / (Sⱼ² − Sᵢ²) Vᵀ + U diag(gS) Vᵀ + what is outside of both"""
    k = parts[1][0]
    (gU, gS, gVh), (U, S, Vh) = _parts(g, parts), _parts(out, parts)
    gU, U, gVh, Vh = gU[..., :k], U[..., :k], gVh[..., :k, :], Vh[..., :k, :]
    inner, other = U.mT @ gU, Vh @ gVh.mT
    squares = S * S
    apart = squares[..., None, :] - squares[..., None]
    inside = _over(inner - inner.mT, apart) * S[..., None, :]
    inside = inside + S[..., None] * _over(other - other.mT, apart)
    middle = inside + _diagonal_of(gS)
    out = U @ middle @ Vh
    if U.shape[-2] > k:
        out = out + _over(gU - U @ inner, S[..., None, :]) @ Vh
    if Vh.shape[-1] > k:
        out = out + U @ _over(gVh - other.mT @ Vh, S[..., None])
    return out


svd_factors.derivatives(A=lambda g, out, parts: _svd_slope(g, out, parts))


@primitive(grad_fn="LinalgSvdBackward0")
def singular_values(A: Array) -> Any:
    """the singular values of A, the largest first"""
    return np.linalg.svd(A, compute_uv=False)


def _singular_values_slope(g: Any, A: Any) -> Any:
    """U diag(g) Vᵀ"""
    parts = svd_shapes(A, False)
    U, _, Vh = _parts(svd_factors(A, full=False, parts=parts), parts)
    return (U * g[..., None, :]) @ Vh


singular_values.derivatives(A=lambda g, A: _singular_values_slope(g, A))


@primitive(grad_fn="LinalgPinvBackward0")
def pseudo_inverse(A: Array, *, limit: tuple[Any, Any], symmetric: bool) -> Any:
    """A⁺ = V diag(1 / S) Uᵀ, 0 for 1 / S where S ≤ max(limit[0], limit[1] · the largest S)"""
    if symmetric:
        values, V = np.linalg.eigh(A)
        U, S, Vh = V * np.sign(values)[..., None, :], np.abs(values), V.mT
    else:
        U, S, Vh = np.linalg.svd(A, full_matrices=False)
    absolute, relative = (np.asarray(each)[..., None] for each in limit)
    bound = np.maximum(absolute, relative * S.max(-1, keepdims=True, initial=0))
    kept = bound < S
    inverted = np.where(kept, 1 / np.where(kept, S, 1), 0).astype(A.dtype)
    return Vh.mT @ (inverted[..., None] * U.mT)


def _pseudo_inverse_slope(g: Any, A: Any, P: Any) -> Any:
    """−Pᵀ g Pᵀ + (1 − A P) gᵀ P Pᵀ + PᵀP gᵀ (1 − P A)"""
    left, right = g.mT @ P @ P.mT, P.mT @ P @ g.mT
    return left - A @ (P @ left) + right - (right @ P) @ A - P.mT @ g @ P.mT


pseudo_inverse.derivatives(A=lambda g, A, out: _pseudo_inverse_slope(g, A, out))


def svd_shapes(A: Any, full: bool) -> Shapes:
    """The shapes of U, S and Vᵀ."""
    m, n = A.shape[-2:]
    k = min(m, n)
    return ((m, m), (k,), (n, n)) if full else ((m, k), (k,), (k, n))


@primitive(grad_fn="LinalgMatrixExpBackward0")
def matrix_exponential(A: Array) -> Any:
    """Σ Aᵏ / k!"""
    import scipy.linalg

    out = np.empty_like(A)
    for place in np.ndindex(A.shape[:-2] if A.size else 0):
        out[place] = scipy.linalg.expm(A[place].astype(np.float64))
    return out


def _exponential_slope(g: Any, A: Any) -> Any:
    """the upper right quarter of the exponential of the matrix (Aᵀ, g; 0, Aᵀ)"""
    n = A.shape[-1]
    stack = np.concatenate if isinstance(g, np.ndarray) else cat
    whole = stack([_beside(A.mT, g), _beside(0 * g, A.mT)], -2)
    return matrix_exponential(whole)[..., :n, n:]


matrix_exponential.derivatives(A=lambda g, A: _exponential_slope(g, A))


# What of them is given to callers: Tensors, several at once


def svd(A: Tensor, full: bool, name: str) -> tuple[Tensor, ...]:
    """U, S and Vᵀ, whose record is called `name`."""
    parts = svd_shapes(A, full)
    return _separated(svd_factors(A, full=full, parts=parts), parts, name)


def eigh(A: Tensor, upper: bool) -> tuple[Tensor, ...]:
    """The eigenvalues and eigenvectors of symmetric matrices."""
    n = A.shape[-1]
    parts = ((n,), (n, n))
    return _separated(eigh_factors(A, upper=upper, parts=parts), parts, "LinalgEighBackward0")


def qr(A: Tensor, mode: str) -> tuple[Tensor, ...]:
    """Q and R."""
    m, n = A.shape[-2:]
    k = m if mode == "complete" else min(m, n)
    parts = ((m, k), (k, n))
    return _separated(qr_factors(A, mode=mode, parts=parts), parts, "LinalgQrBackward0")
