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
    product("inner", lambda t, x, y: t.inner(x, y), (0, 1), (0, 1), grad_fn=False),
    product("outer", lambda t, x, y: t.outer(x, y), (1, 1, 1, 2), (1,)),
    product("tensordot", lambda t, x, y: t.tensordot(x, y, ([-1], [0])), (1, 2), (1, 2),
            grad_fn=False),
]  # fmt: skip


@st.composite
def added(draw, left, right, batch=0):
    """Something that broadcasts to a product, the two factors, and by what to scale."""
    kind = draw(st.sampled_from(KINDS))
    lead = (draw(st.integers(1, 3)),) * batch
    n, m, p = (draw(st.integers(1, 3)) for _ in "nmp")
    shapes = {
        "matrix": ((*lead, n, m), (*lead, m, p)),
        "vector": ((n, m), (m,)),
        "outer": ((n,), (p,)),
    }
    result = {"matrix": (*lead, n, p), "vector": (n,), "outer": (n, p)}[left]
    if right == "summed":
        result = result[1:]
    narrow = tuple(1 if draw(st.integers(0, 2)) == 0 else size for size in result)
    given = narrow[draw(st.integers(0, len(narrow))) :]
    arrays = [
        draw(s.arrays(shape, (kind,), ("halves", "normal"))) for shape in (given, *shapes[left])
    ]
    options = {name: draw(st.sampled_from((1, 2, 0))) for name in ("beta", "alpha")}
    return s.Sample(arrays, options, draw(s.seeds))


def scaled(name, samples):
    return Operation(name, lambda t, *xs, **o: getattr(t, name)(*xs, **o), samples, ulp=8,
                     grad_ulp=16, measure="absolute")  # fmt: skip


SCALED = [
    scaled("addmm", added("matrix", "")),
    scaled("addmv", added("vector", "")),
    scaled("addr", added("outer", "")),
    scaled("baddbmm", added("matrix", "", 1)),
    scaled("addbmm", added("matrix", "summed", 1)),
]

EQUATIONS = [
    ("ij,jk->ik", "ij jk"), ("ij,jk", "ij jk"), ("ii->i", "ii"), ("ii", "ii"), ("ij->ji", "ij"),
    ("...ij,...jk->...ik", "abij jk"), ("bij,bjk->bik", "bij bjk"), ("i,j->ij", "i j"),
    ("i,i", "i i"), ("ij,ij->i", "ij ij"), ("abc,cd,de->abe", "abc cd de"), ("iij->j", "iij"),
    ("b...,b...->...", "bij bij"), ("bn,anm,bm->ba", "bn anm bm"), ("ba", "ba"), ("ij->", "ij"),
    ("bA", "bA"), ("...i->...", "jki"), (" i j , j k -> k i ", "ij jk"),
]  # fmt: skip


@st.composite
def contracted(draw):
    """An equation, and operands whose sizes fit it; here and there a size of 1 that broadcasts."""
    equation, names = draw(st.sampled_from(EQUATIONS))
    letters = sorted(set(names) - {" "})
    sizes = {letter: draw(st.integers(1, 3)) for letter in letters}
    kind = draw(st.sampled_from(("float32", "float64")))
    operands = []
    for name in names.split():
        shape = tuple(sizes[letter] for letter in name)
        operands.append(draw(s.arrays(shape, (kind,), ("halves", "normal"))))
    return s.Sample([equation, *operands], {}, draw(s.seeds))


EINSUM = Operation("einsum", lambda t, *given: t.einsum(*given), contracted(), ulp=16, grad_ulp=32,
                   measure="absolute", grad_fn=False)  # fmt: skip


@pytest.mark.parametrize("operation", [*TABLE, *SCALED, EINSUM], ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
