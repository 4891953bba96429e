"""Products of matrices and vectors."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_mnist.tools.parity.samples import Maker, Sample, parametrized, sample

from .families import all_ones, ones
from .operation import Operation

_MISFITS = (
    all_ones((2, 3), (2, 3)),
    all_ones((2, 3), ()),
    sample(ones(2, 2), np.ones((2, 2))),
    sample(ones(2, 2), 2.0),
)

_EQUATIONS = (
    ("ij,jk->ik", "ij jk"), ("ij,jk", "ij jk"), ("ii->i", "ii"), ("ii", "ii"), ("ij->ji", "ij"),
    ("...ij,...jk->...ik", "abij jk"), ("bij,bjk->bik", "bij bjk"), ("i,j->ij", "i j"),
    ("i,i", "i i"), ("ij,ij->i", "ij ij"), ("abc,cd,de->abe", "abc cd de"), ("iij->j", "iij"),
    ("b...,b...->...", "bij bij"), ("bn,anm,bm->ba", "bn anm bm"), ("ba", "ba"), ("ij->", "ij"),
    ("bA", "bA"), ("...i->...", "jki"), (" i j , j k -> k i ", "ij jk"),
)  # fmt: skip


@parametrized
def _product(make: Maker, left: int, right: int, batch: bool = False) -> Sample:
    """Operands of so many dimensions whose inner sizes fit; -1 for any number of them."""
    n, m, p = make.shape(3, 3) or (1, 1, 1)
    kind = make.dtype()
    lead = make.shapes(2, 2) if batch else [(), ()]
    ranks = [make.integer(1, 2) if rank < 0 else rank for rank in (left, right)]
    x = (m,) if ranks[0] == 1 else (*lead[0], n, m)
    y = (m,) if ranks[1] == 1 else (*lead[1], m, p)
    left_shape = () if make.situation == "scalar" else x
    return make.sample(make.array(left_shape, dtype=kind), make.array(y, dtype=kind))


def _batches(make: Maker) -> Sample:
    b, n, m = make.shape(3, 3) or (1, 1, 1)
    p, kind = make.integer(1, 3), make.dtype()
    return make.sample(make.array((b, n, m), dtype=kind), make.array((b, m, p), dtype=kind))


def _contracted(make: Maker) -> Sample:
    """An equation, and operands whose sizes fit it."""
    equation, names = make.choice(*_EQUATIONS)
    low = 0 if make.situation == "empty" else 1
    sizes = {letter: make.integer(low, 3) for letter in sorted(set(names) - {" "})}
    kind = make.floating()
    shapes = [tuple(sizes[letter] for letter in name) for name in names.split()]
    return make.sample(equation, *[make.array(shape, dtype=kind) for shape in shapes])


@parametrized
def _added(make: Maker, kind: str) -> Sample:
    """What broadcasts to a product, the two factors, and by what to scale both."""
    b, n, m = make.shape(3, 3) or (1, 1, 1)
    p, dtype = make.integer(1, 3), make.dtype()
    batch = () if kind in ("mm", "mv", "r") else (b,)
    factors = {"mv": ((n, m), (m,)), "r": ((n,), (p,))}.get(kind, ((*batch, n, m), (*batch, m, p)))
    result = {"mv": (n,), "bmm": (n, p), "r": (n, p)}.get(kind, (*batch, n, p))
    # A vector of one number that meets a matrix without columns is no matter of broadcasting
    # to PyTorch, which gives back one number.
    whole = kind == "mv" and not m
    full = tuple(size if whole or make.flag() else 1 for size in result)
    arrays = [make.array(shape, dtype=dtype) for shape in (full, *factors)]
    return make.sample(*arrays, **make.choices(dict.fromkeys(("beta", "alpha"), (1, 2, 0))))


def _two_sided(make: Maker) -> Sample:
    """Operands of one or two dimensions for tensordot: the last of one, the first of the other."""
    x, y = _product(-1, -1)(make).arguments
    x = x if x.ndim else x.reshape(1)
    y = y if y.ndim and x.shape[-1] == y.shape[0] else make.array(x.shape[-1:], dtype=x.dtype)
    return make.sample(x, y, 1 if make.flag() else ([-1], [0]))


@parametrized
def _regular(make: Maker, kind: str = "square", *others: int) -> Sample:
    """Matrices far from singular, whose singular values differ; others of so many columns."""
    make = make.ordinary_in("special", "halves", "expanded", "scalar", "empty")
    n, lead = make.integer(1, 3), make.shape(0, 1)
    m = n + make.integer(0, 2) if kind == "tall" else n
    x = make.array((*lead, m, n))
    if x.dtype.kind == "f":
        x = (x * 0.2 + np.eye(m, n) * np.arange(2, 2 + n)).astype(x.dtype)
    rest = [make.array((*lead, m, columns), dtype=x.dtype) for columns in others]
    return make.sample(x, *rest)


def _spread(t: Any, x: Any) -> Any:
    """A diagonal that keeps eigenvalues apart: derivatives divide by their distances."""
    return t.diag(8.0 * t.arange(x.shape[-1]))


_factored = partial(Operation, ulp=256, scale="sight")
_NO_MATRIX = (sample(np.ones(3, np.float32)), sample("text"))
_OBLONG = (*_NO_MATRIX, sample(np.ones((2, 3), np.float32)))
_OBLONG_PAIR = all_ones((2, 3), (2, 1))
_SINGULAR = (*_OBLONG, sample(np.zeros((2, 2), np.float32)))

FACTORS = [
    _factored("linalg.solve", _regular("square", 2), primitives="solved",
              errors=(sample(np.zeros((2, 2), np.float32), np.ones((2, 1), np.float32)),)),
    _factored("linalg.inv", _regular(), primitives="inverse", errors=_SINGULAR),
    Operation("inverse", _regular(), ulp=256, scale="sight", errors=_SINGULAR),
    _factored("linalg.solve_triangular", _regular("square", 2),
              lambda t, x, y: t.linalg.solve_triangular(x, y, upper=True),
              primitives="solved_triangular", errors=(_OBLONG_PAIR,)),
    _factored("det", _regular(), primitives="determinant cofactors", errors=_OBLONG),
    _factored("slogdet", _regular(), primitives="log_determinant determinant_sign",
              errors=_OBLONG),
    _factored("linalg.cholesky", _regular(), lambda t, x: t.linalg.cholesky(x + x.mT),
              primitives="cholesky_factor", errors=_SINGULAR),
    _factored("cholesky_solve", _regular("square", 2),
              lambda t, x, y: t.cholesky_solve(y, x.tril()),
              primitives="cholesky_solved", errors=(_OBLONG_PAIR,)),
    _factored("linalg.qr", _regular("tall"), primitives="qr_factors", errors=_NO_MATRIX),
    _factored("linalg.eigh", _regular(),
              lambda t, x: [each**2 for each in t.linalg.eigh(x + x.mT + _spread(t, x))],
              primitives="eigh_factors", errors=_OBLONG),
    _factored("linalg.svd", _regular("tall"),
              lambda t, x: [each**2 for each in t.linalg.svd(x, full_matrices=False)],
              primitives="svd_factors",
              second_order=lambda given: given.arguments[0].dtype == np.float64, errors=_NO_MATRIX),
    _factored("linalg.svdvals", _regular("tall"), primitives="singular_values",
              errors=_NO_MATRIX),
    _factored("linalg.pinv", _regular("tall"), primitives="pseudo_inverse", errors=_NO_MATRIX),
    _factored("linalg.matrix_exp", _regular(), lambda t, x: t.linalg.matrix_exp(x / 8),
              primitives="matrix_exponential", errors=_OBLONG),
]  # fmt: skip
"""What solves, inverts and factors matrices."""

_product_of = partial(Operation, ulp=4, scale="terms", primitives="mm")
_sum_of_products = partial(Operation, ulp=8, scale="terms", primitives="mm")
_FLOAT64 = np.ones((2, 3))

OPERATIONS = [
    _product_of("matmul", _product(-1, -1, batch=True), lambda t, x, y: x @ y,
                errors=(*_MISFITS, all_ones((2,), (3,)), all_ones((2, 3), (2,)),
                        all_ones((2, 2, 3), (3, 3, 2)))),
    _product_of("mm", _product(2, 2),
                errors=(*_MISFITS, all_ones((2,), (2, 2)), all_ones((1, 2, 3), (3, 2)))),
    _product_of("mv", _product(2, 1), primitives="mv", errors=(*_MISFITS, all_ones((2, 3), (2,)))),
    _product_of("dot", _product(1, 1), primitives="dot", errors=(*_MISFITS, all_ones((2,), (3,)))),
    _product_of("bmm", _batches, errors=(*_MISFITS, all_ones((2, 2, 3), (3, 3, 2)),
                                         all_ones((2, 2, 3), (2, 2, 3)))),
    _sum_of_products("addmm", _added("mm"), errors=(all_ones((2,), (2, 3), (2, 2)),
                                                    all_ones((4,), (2, 3), (3, 2)))),
    _sum_of_products("addmv", _added("mv"), errors=(all_ones((2,), (2, 3), (2,)),)),
    _sum_of_products("addr", _added("r"), errors=(all_ones((2, 2), (2, 2), (2,)),)),
    *[_sum_of_products(f"add{kind}" if kind == "bmm" else kind, _added(kind),
                       errors=(all_ones((2,), (2, 2, 3), (3, 3, 2)),))
      for kind in ("bmm", "baddbmm")],
    _sum_of_products("outer", lambda make: make.sample(*[make.array(make.shape(1, 1) or (1,))
                                                         for _ in "xy"]),
                     errors=(all_ones((2, 2), (2,)),)),
    _sum_of_products("inner", _product(1, 1), errors=(all_ones((2, 3), (2, 2)),
                                                      all_ones((2,), (3,)))),
    _sum_of_products("tensordot", _two_sided, errors=(sample(_FLOAT64, _FLOAT64, 1),)),
    _sum_of_products("einsum", _contracted, errors=(
        sample("ij,jk", _FLOAT64), sample("ij", np.ones(3)), sample("i?", _FLOAT64),
        sample("ij->k", _FLOAT64), sample("ij,ij", _FLOAT64, np.ones(2)))),
]  # fmt: skip
