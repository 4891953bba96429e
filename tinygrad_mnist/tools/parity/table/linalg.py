"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .maker import Maker, Sample, sample
from .operation import Operation

__all__ = ["OPERATIONS"]


def _product(left: int, right: int, batch: bool = False):  # type: ignore[no-untyped-def]
    """Operands of so many dimensions whose inner sizes fit; -1 for any number of them."""

    def inputs(make: Maker) -> Sample:
        n, m, p = make.shape(3, 3) or (1, 1, 1)
        kind = make.dtype()
        lead = make.shapes(2, 2) if batch else [(), ()]
        ranks = [make.integer(1, 2) if rank < 0 else rank for rank in (left, right)]
        x = (m,) if ranks[0] == 1 else (*lead[0], n, m)
        y = (m,) if ranks[1] == 1 else (*lead[1], m, p)
        left_shape = () if make.situation == "scalar" else x
        return make.sample(make.array(left_shape, dtype=kind), make.array(y, dtype=kind))

    return inputs


def _ones(*shapes: tuple[int, ...]) -> Sample:
    return sample(*[np.ones(shape, np.float32) for shape in shapes])


_MISFITS = (
    _ones((2, 3), (2, 3)),
    _ones((2, 3), ()),
    sample(np.ones((2, 2), np.float32), np.ones((2, 2))),
    sample(np.ones((2, 2), np.float32), 2.0),
)

_EQUATIONS = (
    ("ij,jk->ik", "ij jk"), ("ij,jk", "ij jk"), ("ii->i", "ii"), ("ii", "ii"), ("ij->ji", "ij"),
    ("...ij,...jk->...ik", "abij jk"), ("bij,bjk->bik", "bij bjk"), ("i,j->ij", "i j"),
    ("i,i", "i i"), ("ij,ij->i", "ij ij"), ("abc,cd,de->abe", "abc cd de"), ("iij->j", "iij"),
    ("b...,b...->...", "bij bij"), ("bn,anm,bm->ba", "bn anm bm"), ("ba", "ba"), ("ij->", "ij"),
    ("bA", "bA"), ("...i->...", "jki"), (" i j , j k -> k i ", "ij jk"),
)  # fmt: skip


def _contracted(make: Maker) -> Sample:
    """An equation, and operands whose sizes fit it."""
    equation, names = make.choice(*_EQUATIONS)
    low = 0 if make.situation == "empty" else 1
    sizes = {letter: make.integer(low, 3) for letter in sorted(set(names) - {" "})}
    kind = make.floating()
    shapes = [tuple(sizes[letter] for letter in name) for name in names.split()]
    return make.sample(equation, *[make.array(shape, dtype=kind) for shape in shapes])


def _added(kind: str):  # type: ignore[no-untyped-def]
    """What broadcasts to a product, the two factors, and by what to scale both."""

    def inputs(make: Maker) -> Sample:
        b, n, m = make.shape(3, 3) or (1, 1, 1)
        p, dtype = make.integer(1, 3), make.dtype()
        batch = () if kind in ("mm", "mv", "r") else (b,)
        factors = {"mv": ((n, m), (m,)), "r": ((n,), (p,))}.get(
            kind, ((*batch, n, m), (*batch, m, p))
        )
        result = {"mv": (n,), "bmm": (n, p), "r": (n, p)}.get(kind, (*batch, n, p))
        # A vector of one number that meets a matrix without columns is no matter of broadcasting
        # to PyTorch, which gives back one number.
        whole = kind == "mv" and not m
        full = tuple(size if whole or make.flag() else 1 for size in result)
        arrays = [make.array(shape, dtype=dtype) for shape in (full, *factors)]
        scales = {name: make.choice(1, 2, 0) for name in ("beta", "alpha")}
        return make.sample(*arrays, **scales)

    return inputs


def _two_sided(make: Maker) -> Sample:
    """Operands of one or two dimensions for tensordot: the last of one, the first of the other."""
    x, y = _product(-1, -1)(make).arguments
    x = x if x.ndim else x.reshape(1)
    y = y if y.ndim and x.shape[-1] == y.shape[0] else make.array(x.shape[-1:], dtype=x.dtype)
    return make.sample(x, y, 1 if make.flag() else ([-1], [0]))


def _sum_of_products(name: str, inputs: Any, *errors: Sample, **options: Any) -> Operation:
    return Operation(name, inputs, ulp=8, scale="terms", primitives=("mm",), errors=errors,
                     **options)  # fmt: skip


OPERATIONS = [
    Operation("matmul", _product(-1, -1, batch=True), lambda t, x, y: x @ y, ulp=4, scale="terms",
              primitives=("mm",),
              errors=(*_MISFITS, _ones((2,), (3,)), _ones((2, 3), (2,)),
                      _ones((2, 2, 3), (3, 3, 2)))),
    Operation("mm", _product(2, 2), ulp=4, scale="terms",
              errors=(*_MISFITS, _ones((2,), (2, 2)), _ones((1, 2, 3), (3, 2)))),
    Operation("mv", _product(2, 1), ulp=4, scale="terms", primitives=("mm",),
              errors=(*_MISFITS, _ones((2, 3), (2,)))),
    Operation("dot", _product(1, 1), ulp=4, scale="terms", primitives=("mm",),
              errors=(*_MISFITS, _ones((2,), (3,)))),
    Operation("bmm", lambda make: _batches(make), ulp=4, scale="terms", primitives=("mm",),
              errors=(*_MISFITS, _ones((2, 2, 3), (3, 3, 2)), _ones((2, 2, 3), (2, 2, 3)))),
    _sum_of_products("addmm", _added("mm"), _ones((2,), (2, 3), (2, 2)),
                     _ones((4,), (2, 3), (3, 2))),
    _sum_of_products("addmv", _added("mv"), _ones((2,), (2, 3), (2,))),
    _sum_of_products("addr", _added("r"), _ones((2, 2), (2, 2), (2,))),
    _sum_of_products("addbmm", _added("bmm"), _ones((2,), (2, 2, 3), (3, 3, 2))),
    _sum_of_products("baddbmm", _added("baddbmm"), _ones((2,), (2, 2, 3), (3, 3, 2))),
    _sum_of_products("outer", lambda make: make.sample(*[
        make.array(make.shape(1, 1) or (1,)) for _ in "xy"]), _ones((2, 2), (2,))),
    _sum_of_products("inner", _product(1, 1), _ones((2, 3), (2, 2)), _ones((2,), (3,))),
    _sum_of_products("tensordot", _two_sided, sample(np.ones((2, 3)), np.ones((2, 3)), 1)),
    _sum_of_products("einsum", _contracted, sample("ij,jk", np.ones((2, 3))),
                     sample("ij", np.ones(3)), sample("i?", np.ones((2, 3))),
                     sample("ij->k", np.ones((2, 3))),
                     sample("ij,ij", np.ones((2, 3)), np.ones(2))),
]  # fmt: skip


def _batches(make: Maker) -> Sample:
    b, n, m = make.shape(3, 3) or (1, 1, 1)
    p, kind = make.integer(1, 3), make.dtype()
    return make.sample(make.array((b, n, m), dtype=kind), make.array((b, m, p), dtype=kind))
