"""Products of matrices and vectors, held against PyTorch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, check

KINDS = ("float32", "float64", "int64")
sides = st.integers(0, 4)


@st.composite
def products(draw, left, right, kinds=KINDS):
    """Two tensors of the given numbers of dimensions whose inner sizes fit, now and then not."""
    batch = draw(s.shapes(max_dims=2))
    n, m, p = (draw(st.integers(1, 4)) if draw(st.integers(0, 5)) else draw(sides) for _ in "nmp")
    wrong = draw(st.integers(0, 7)) == 0
    mixed = n * m * p and draw(st.integers(0, 7)) == 0
    dims = [draw(st.sampled_from(left)), draw(st.sampled_from(right))]
    inner = m + wrong
    shapes = []
    for dim, matrix, vector in zip(dims, ((n, m), (inner, p)), (m, inner), strict=True):
        lead = batch[max(0, len(batch) - (dim - 2)) :]
        lead = tuple(1 if draw(st.integers(0, 3)) == 0 else size for size in lead)
        lead = (2,) * max(0, dim - 2 - len(lead)) + lead
        shapes.append((vector,) if dim == 1 else (*lead, *matrix)[-dim:] if dim else ())
    kind = draw(st.sampled_from(kinds))
    other = draw(st.sampled_from(kinds)) if mixed else kind
    x, y = (draw(s.arrays(shape, (k,))) for shape, k in zip(shapes, (kind, other), strict=True))
    return s.Sample([x, y], {}, draw(s.seeds))


def product(name, call, left, right, grad_fn=True):
    """Sums of up to four products: each rounds once, and sums in another order."""
    return Operation(name, call, products(left, right), ulp=4, grad_ulp=8, measure="absolute",
                     grad_fn=grad_fn)  # fmt: skip


TABLE = [
    product("@", lambda t, x, y: x @ y, (1, 2, 3, 4), (1, 2, 3, 4), grad_fn=False),
    product("matmul", lambda t, x, y: t.matmul(x, y), (0, 1, 2, 3), (1, 2, 3), grad_fn=False),
    product("mm", lambda t, x, y: t.mm(x, y), (2, 2, 2, 1), (2,)),
    product("mv", lambda t, x, y: t.mv(x, y), (2, 2, 2, 1), (1,)),
    product("dot", lambda t, x, y: t.dot(x, y), (1, 1, 1, 2), (1,)),
    product("bmm", lambda t, x, y: t.bmm(x, y), (3, 3, 3, 2), (3,)),
]


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
