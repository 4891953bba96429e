"""`torch.linalg`'s solvers, inverses and factors, and their older names, with PyTorch's checks.

>>> A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
>>> torch.linalg.solve(A, torch.tensor([3.0, 5.0]))
tensor([0.8000, 1.4000])
>>> torch.linalg.cholesky(A)
tensor([[1.4142, 0.0000],
        [0.7071, 1.5811]])
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_mnist import dtypes
from tinygrad_mnist.engine.autocast import Function, in_float32, lowered
from tinygrad_mnist.engine.node import named_as
from tinygrad_mnist.engine.observer import note_constant, note_untraceable
from tinygrad_mnist.engine.outputs import joined_as
from tinygrad_mnist.engine.tensor import Tensor, wrap

from . import decompositions as of
from .arguments import _return_type, check_elements, not_implemented, operation
from .conditional import where
from .elementwise import composed
from .matmul import matmul
from .matrices import linalg_norm
from .reductions import _sum
from .shapes import permute, reshape, unsqueeze

Result = TypeVar("Result")
SolveResult = NamedTuple("SolveResult", [("result", Tensor), ("info", Tensor)])  # noqa: UP014
InverseResult = NamedTuple("InverseResult", [("inverse", Tensor), ("info", Tensor)])  # noqa: UP014
CholeskyResult = NamedTuple("CholeskyResult", [("L", Tensor), ("info", Tensor)])  # noqa: UP014
SignAndLog = NamedTuple("SignAndLog", [("sign", Tensor), ("logabsdet", Tensor)])  # noqa: UP014
QR = NamedTuple("QR", [("Q", Tensor), ("R", Tensor)])  # noqa: UP014
SVD = NamedTuple("SVD", [("U", Tensor), ("S", Tensor), ("Vh", Tensor)])  # noqa: UP014
OldSVD = NamedTuple("OldSVD", [("U", Tensor), ("S", Tensor), ("V", Tensor)])  # noqa: UP014
Eigen = NamedTuple("Eigen", [("eigenvalues", Tensor), ("eigenvectors", Tensor)])  # noqa: UP014


class LeastSquares(NamedTuple):
    """What lstsq returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def _in_full(function: Function) -> Function:
    """An operation that autocast gives float32, as PyTorch's lists have it."""
    return in_float32(operation(function))


def _named(name: str, fields: type[Result], *values: Any) -> Result:
    """Results with names, which print as PyTorch's `torch.return_types` do."""
    kind: Any = fields
    found: Result = _return_type(name, kind)(*values)
    return found


def _check(
    name: str, A: Tensor, square: bool = True, floating: bool = True, kernel: str = ""
) -> None:
    """Raise PyTorch's error for what are no (square) matrices, or of whole numbers.

    Where PyTorch leaves these to a `kernel`, it is NotImplementedError.
    """
    shape = A._array.shape
    if len(shape) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and shape[-1] != shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {shape[-2]} by "
            f"{shape[-1]} matrices"
        )
    if kernel and A._array.dtype.kind != "f":
        raise not_implemented(kernel, A._array.dtype)
    if A._array.dtype in dtypes.NARROW:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {A.dtype.legacy_name}")
    if floating and A._array.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. "
            f"Got {A.dtype.legacy_name}"
        )


def _check_pair(name: str, A: Tensor, B: Tensor) -> None:
    if A._array.dtype != B._array.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{A.dtype.legacy_name} and B of type {B.dtype.legacy_name} instead"
        )


def _fits(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    """Raise PyTorch's error unless A X = B (X A = B unless `left`) can hold."""
    _check_pair(name, A, B)
    if B._array.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    a, b = A._array.shape, B._array.shape
    if a[-1] != b[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})"
        )
    np.broadcast_shapes(a[:-2], b[:-2])


def _whole(array: Any) -> Tensor:
    """Whole numbers that nothing computes with."""
    note_untraceable()
    return wrap(array)


# Systems and inverses


def _solve(A: Tensor, B: Tensor, left: bool, check: bool) -> Tensor:
    _check("linalg.solve", A)
    _check_pair("linalg.solve", A, B)
    a, b = A._array.shape, B._array.shape
    vector = len(b) == 1 or (len(a) - 1 == len(b) and b == a[:-1])
    right = unsqueeze(B, -1) if vector else B
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for "
            "left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    try:
        _fits("linalg.solve", A, right, left)
    except ValueError as error:
        raise RuntimeError(f"linalg.solve: {error}") from None
    if left:
        out = of.solved(A, right, check=check)
    else:
        out = of.solved(A.mT, right.mT, check=check).mT
    return named_as(out.squeeze(-1) if vector else out, "LinalgSolveExBackward0")


@_in_full
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X of A X = B (X A = B unless `left`); B may be a vector. LinAlgError for a singular A."""
    return _solve(A, B, left, True)


@operation
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> SolveResult:
    """`solve` which raises nothing unless `check_errors`: `info` is not 0 where A is singular."""
    result = _solve(A, B, left, check_errors)
    return _named("linalg_solve_ex", SolveResult, result, _whole(of.singular(A._array)))


@operation
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """X of A X = B (X A = B unless `left`), of whose A one triangle is read.

    With `unitriangular` its diagonal counts as ones.
    """
    _check("linalg.solve_triangular", A, kernel="triangular_solve_cpu")
    _fits("linalg.solve_triangular", A, B, left)
    if left:
        return of.solved_triangular(A, B, upper=bool(upper), unit=bool(unitriangular))
    out = of.solved_triangular(A.mT, B.mT, upper=not upper, unit=bool(unitriangular)).mT
    return named_as(out, "LinalgSolveTriangularBackward0")


@_in_full
def inv(A: Tensor) -> Tensor:
    """The inverse of each matrix. LinAlgError for a singular one."""
    _check("linalg.inv", A)
    return of.inverse(A, check=True)


@_in_full
def inv_ex(A: Tensor, *, check_errors: bool = False) -> InverseResult:
    """`inv` which raises nothing unless `check_errors`: `info` is not 0 where A is singular."""
    _check("linalg.inv", A)
    result = of.inverse(A, check=check_errors)
    return _named("linalg_inv_ex", InverseResult, result, _whole(of.singular(A._array)))


inverse = composed("inverse", "The inverse of each matrix: `linalg.inv`.",
                   lambda input: inv(input), "LinalgInvExBackward0")  # fmt: skip


@operation
def pinv(
    A: Tensor, rcond: float | Tensor | None = None, hermitian: bool = False, *,
    atol: float | Tensor | None = None, rtol: float | Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The pseudo-inverse of each matrix: singular values up to max(atol, rtol · largest) are 0.

    With `hermitian` A counts as symmetric, and its lower triangle is read.
    """
    _check("linalg.pinv", A, hermitian)
    limit = _tolerances(A._array, atol, rcond if rtol is None else rtol)
    found: Tensor = lowered(of.pseudo_inverse(A, limit=limit, symmetric=bool(hermitian)))[0]
    return found


def _tolerances(A: Any, atol: Any, rtol: Any) -> Any:
    """The absolute and the relative tolerance, each a number or an array; PyTorch's unless given.

    `rtol` is the type's epsilon times the larger size, and 0 where `atol` is given.
    """
    values = [each._array if isinstance(each, Tensor) else each for each in (atol, rtol)]
    if values[1] is None:
        given = values[0] is not None and not np.any(np.asarray(values[0]) == 0)
        values[1] = 0.0 if given else float(np.finfo(A.dtype).eps) * max(A.shape[-2:])
    return (0.0 if values[0] is None else values[0], values[1])


@_in_full
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse of each matrix: `linalg.pinv`."""
    return pinv(input, rcond)


@_in_full
def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> LeastSquares:
    """X of the least ‖A X − B‖; its residuals, the rank of A, and A's singular values.

    Residuals are there where A has more rows than columns and full rank, singular values with the
    drivers "gelsd" and "gelss", a rank with those and "gelsy", the default.
    """
    _check("torch.linalg.lstsq", A, square=False)
    _check_pair("torch.linalg.lstsq", A, B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    m, n = A._array.shape[-2:]
    vector = A._array.ndim - 1 == B._array.ndim and A._array.shape[:-1] == B._array.shape
    right = unsqueeze(B, -1) if vector else B
    if right._array.ndim < 2 or right._array.shape[-2] != m:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    limit = float(np.finfo(A._array.dtype).eps) * max(m, n) if rcond is None else rcond
    values = of.singular_values(A.detach())
    rank = _count(values, values._array[..., :1] * limit)
    solution = matmul(of.pseudo_inverse(A, limit=(0.0, limit), symmetric=False), right)
    none = wrap(np.empty(0, A._array.dtype))
    residuals = reshape(solution, -1)[:0]
    if m > n and (driver == "gels" or bool((rank._array == n).all())):
        apart = matmul(A, solution) - right
        residuals = _sum(apart * apart, dim=(apart._array.ndim - 2,), keepdim=False)
    results = (solution.squeeze(-1) if vector else solution, residuals)
    joined_as(results, "LinalgLstsqBackward0")
    return _named(
        "linalg_lstsq", LeastSquares, *results,
        wrap(np.empty(0, np.int64)) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else none,
    )  # fmt: skip


def _count(values: Tensor, limit: Any) -> Tensor:
    """How many of the last dimension's numbers are larger than `limit`."""
    return _whole(np.asarray((values._array > limit).sum(-1), np.int64))


# Determinants, powers


@operation
def linalg_det(A: Tensor) -> Tensor:
    """The determinant of each matrix.

    >>> torch.linalg.det(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    _check("linalg.det", A)
    return of.determinant(A)


@operation
def linalg_slogdet(A: Tensor) -> SignAndLog:
    """The sign of each determinant, and ln of its absolute value."""
    _check("linalg.slogdet", A)
    pair = of.determinant_sign(A), of.log_determinant(A)
    joined_as(pair, "LinalgSlogdetBackward0")
    return _named("linalg_slogdet", SignAndLog, *pair)


det = composed("det", "The determinant of each matrix: `linalg.det`.",
               lambda input: linalg_det(input), "LinalgDetBackward0")  # fmt: skip


@operation
def slogdet(input: Tensor) -> SignAndLog:
    """The sign of each determinant, and ln of its absolute value: `linalg.slogdet`."""
    return _named("slogdet", SignAndLog, *linalg_slogdet(input))


@operation
def matrix_power(input: Tensor, n: int) -> Tensor:
    """Each matrix times itself, n factors: `linalg.matrix_power`."""
    return linalg_matrix_power(input, n)


@operation
def logdet(input: Tensor) -> Tensor:
    """ln of the determinant of each matrix, NaN where that is negative."""
    _check("logdet", input)
    sign, log = linalg_slogdet(input)
    return named_as(where(sign < 0, math.nan, log), "WhereBackward0")


@operation
def linalg_matrix_power(A: Tensor, n: int) -> Tensor:
    """Each matrix times itself, n factors; of its inverse where n < 0."""
    _check("linalg.matrix_power", A, floating=n < 0)
    if n == 0:
        ones = np.broadcast_to(np.eye(A._array.shape[-1], dtype=A._array.dtype), A._array.shape)
        return named_as(0 * A + wrap(note_constant(ones.copy())), "CopyBackwards")
    base, left = (inv(A), -n) if n < 0 else (A, n)
    if left == 1:
        return base if n < 0 else A.clone()
    out = None
    while left:
        if left & 1:
            out = base if out is None else matmul(out, base)
        left >>= 1
        base = matmul(base, base) if left else base
    assert out is not None
    return out


@operation
def linalg_matrix_exp(A: Tensor) -> Tensor:
    """The exponential of each matrix: Σ Aᵏ / k!"""
    _check("linalg.matrix_exp", A)
    return of.matrix_exponential(A)


matrix_exp = composed("matrix_exp", "Each matrix's exponential: `linalg.matrix_exp`.",
                      lambda input: linalg_matrix_exp(input),
                      "LinalgMatrixExpBackward0")  # fmt: skip


@operation
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices; the first and the last may be vectors."""
    check_elements(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for number, each in enumerate(tensors):
        ends = number in (0, len(tensors) - 1)
        if each._array.ndim != 2 and not (ends and each._array.ndim == 1):
            raise RuntimeError(
                f"multi_dot(): tensor {number} must be {'1D or 2D' if ends else '2D'} but got "
                f"{each._array.ndim}D"
            )
    return named_as(functools.reduce(matmul, tensors), "ViewBackward0")


@_in_full
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its last dimensions to the first `ind`."""
    shape = A._array.shape
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    size = math.prod(shape[ind:])
    if size != math.prod(shape[:ind]):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {size} != {math.prod(shape[:ind])}"
        )
    out = reshape(inv(reshape(A, size, size)), shape[ind:] + shape[:ind])
    return named_as(out, "ReshapeAliasBackward0")


@_in_full
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """X of tensordot(A, X) = B; `dims` of A are moved to its end first."""
    if dims is not None:
        moved = [d % A._array.ndim for d in dims]
        A = permute(A, [d for d in range(A._array.ndim) if d not in moved] + moved)
    shape = A._array.shape[B._array.ndim :]
    size = math.prod(shape)
    if size != B._array.size or A._array.size != size * size:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {size} != {B._array.size}"
        )
    out = solve(reshape(A, size, size), reshape(B, -1))
    return named_as(reshape(out, shape), "ViewBackward0")


# Factors


def _cholesky(A: Tensor, upper: bool, check: bool) -> Tensor:
    _check("linalg.cholesky", A)
    if not upper:
        return of.cholesky_factor(A, check=check)
    return named_as(of.cholesky_factor(A.mT, check=check).mT, "LinalgCholeskyExBackward0")


@_in_full
def linalg_cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular, of each symmetric positive-definite A = L Lᵀ; with `upper` Lᵀ.

    LinAlgError for an A that is not positive-definite. One triangle of A is read.
    """
    return _cholesky(A, upper, True)


@_in_full
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> CholeskyResult:
    """`linalg.cholesky` which raises nothing unless `check_errors`.

    `info` is then the order of the first leading minor that is not positive, or 0.
    """
    return _named(
        "linalg_cholesky_ex", CholeskyResult, _cholesky(A, upper, check_errors),
        _whole(of.not_positive(A._array.mT if upper else A._array)),
    )  # fmt: skip


@_in_full
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """`linalg.cholesky`, by its older name."""
    return named_as(_cholesky(input, upper, True), "CholeskyBackward0")


@_in_full
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of A X = input, for the factor L of A = L Lᵀ (Lᵀ L with `upper`)."""
    _check("cholesky_solve", L, kernel="cholesky_solve_cpu")
    _fits("cholesky_solve", L, input, True)
    return named_as(of.cholesky_solved(input, L, upper=bool(upper)), "CholeskySolveBackward0")


@_in_full
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, for its Cholesky factor."""
    _check("cholesky_inverse", input)
    same = wrap(note_constant(np.eye(input._array.shape[-1], dtype=input._array.dtype)))
    return named_as(cholesky_solve(same, input, upper), "CholeskyInverseBackward0")


@_in_full
def linalg_qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q and R of each A = Q R; `mode` is "reduced", "complete", or "r" (Q is empty then)."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    _check("linalg.qr", A, square=False)
    Q, R = of.qr(A, mode)
    if mode == "r":
        Q = wrap(np.empty(0, A._array.dtype))
    return _named("linalg_qr", QR, Q, R)


@_in_full
def qr(input: Tensor, some: bool = True) -> QR:
    """`linalg.qr`, by its older name: "complete" unless `some`."""
    return _named("qr", QR, *linalg_qr(input, "reduced" if some else "complete"))


@_in_full
def linalg_svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """U, the singular values S, the largest first, and Vh of each A = U diag(S) Vh."""
    _check_driver("linalg.svd", driver)
    _check("linalg.svd", A, square=False)
    return _named("linalg_svd", SVD, *of.svd(A, bool(full_matrices), "LinalgSvdBackward0"))


def _check_driver(name: str, driver: str | None) -> None:
    if driver is not None:
        raise RuntimeError(f"{name}: keyword argument `driver=` is only supported on CUDA inputs")


@_in_full
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> OldSVD:
    """U, the singular values S and V of each matrix; U and V are zeros unless `compute_uv`."""
    _check("linalg.svd", input, square=False)
    if compute_uv:
        U, S, Vh = of.svd(input, not some, "LinalgSvdBackward0")
        found = U, S, Vh.mT
    else:
        *lead, m, n = input._array.shape
        U, V = (wrap(np.zeros((*lead, size, size), input._array.dtype)) for size in (m, n))
        found = U, of.singular_values(input), V
    return _named("svd", OldSVD, *found)


@_in_full
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values of each matrix, the largest first."""
    _check_driver("linalg.svdvals", driver)
    _check("linalg.svdvals", A, square=False)
    return of.singular_values(A)


def _eigh(A: Tensor, UPLO: str) -> tuple[Tensor, ...]:
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    _check("linalg.eigh", A, kernel="linalg_eigh_cpu")
    return of.eigh(A, UPLO.upper() == "U")


@_in_full
def eigh(A: Tensor, UPLO: str = "L") -> Eigen:
    """The eigenvalues of symmetric matrices, in order, and eigenvectors as columns.

    `UPLO` tells which triangle is read, "L" or "U".
    """
    return _named("linalg_eigh", Eigen, *_eigh(A, UPLO))


@_in_full
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, in order."""
    return _eigh(A, UPLO)[0]


@_in_full
def matrix_rank(
    A: Tensor, tol: float | Tensor | None = None, hermitian: bool = False, *,
    atol: float | Tensor | None = None, rtol: float | Tensor | None = None,
) -> Tensor:  # fmt: skip
    """How many singular values of each matrix exceed max(atol, rtol · largest), int64."""
    _check("linalg.matrix_rank", A, hermitian)
    fixed = tol if atol is None else atol
    absolute, relative = _tolerances(A._array, fixed, 0.0 if tol is not None else rtol)
    values = eigvalsh(A.detach()).abs() if hermitian else of.singular_values(A.detach())
    if not values._array.size:
        return wrap(np.zeros(values._array.shape[:-1], np.int64))
    limit = np.maximum(np.asarray(absolute), np.asarray(relative) * values._array.max(-1))
    return _count(values, limit[..., None])


@_in_full
def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """‖A‖ · ‖A⁻¹‖ in the norm `p`: for 2, unless given, and −2 the quotient of singular values."""
    _check("linalg.cond", A, square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        S = of.singular_values(A)
        out = S[..., 0] / S[..., -1]
        return named_as(1 / out if p == -2 else out, "SqueezeBackward1")
    inverse = of.inverse(A, check=False)
    dims = (-2, -1)
    out = linalg_norm(A, p, dims) * linalg_norm(inverse, p, dims)
    return named_as(where(out != out, math.inf, out), "NanToNumBackward0")
