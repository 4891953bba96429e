"""Products of matrices and vectors."""

from __future__ import annotations

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
]  # fmt: skip


def _batches(make: Maker) -> Sample:
    b, n, m = make.shape(3, 3) or (1, 1, 1)
    p, kind = make.integer(1, 3), make.dtype()
    return make.sample(make.array((b, n, m), dtype=kind), make.array((b, m, p), dtype=kind))
