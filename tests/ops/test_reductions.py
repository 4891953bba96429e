"""Operations that reduce dimensions, held against PyTorch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops import samples as s
from tests.ops.harness import Operation, check

FLOATING = ("float32", "float64")
dtypes = st.sampled_from([None, None, "float32", "float64", "int64"])


def typed(name):
    """A call of the reduction `name` that may name a type."""

    def call(t, x, *, dtype=None, **options):
        return getattr(t, name)(x, **options, dtype=dtype and getattr(t, dtype))

    return call


def plain(name):
    return lambda t, x, **options: getattr(t, name)(x, **options)


def method(name):
    return lambda t, x, **options: getattr(x, name)(*options.values())


TABLE = [
    Operation("sum", typed("sum"), s.reduced(dtype=dtypes), ulp=4, measure="absolute"),
    Operation("Tensor.sum", method("sum"), s.reduced(), ulp=4, measure="absolute"),
    Operation("sum of axis", lambda t, x: t.sum(x, axis=0, keepdims=True), s.unary(), ulp=4,
              measure="absolute"),
    Operation("mean", typed("mean"), s.reduced(dtype=dtypes), ulp=4, measure="absolute"),
    Operation("Tensor.mean", method("mean"), s.reduced(), ulp=4, measure="absolute"),
    Operation("amax", plain("amax"), s.reduced(), grad_ulp=2),
    Operation("amin", plain("amin"), s.reduced(), grad_ulp=2),
    Operation("max", plain("max"), s.reduced(many=False), grad_ulp=2),
    Operation("min", plain("min"), s.reduced(many=False), grad_ulp=2),
    Operation("max of two", lambda t, x, y: t.max(x, y), s.binary(scalars="none")),
    Operation("min of two", lambda t, x, y: t.min(x, y), s.binary(scalars="none")),
    Operation("argmax", plain("argmax"), s.reduced(many=False)),
    Operation("argmin", plain("argmin"), s.reduced(many=False)),
    Operation("logsumexp", plain("logsumexp"), s.reduced(none=False), ulp=4, measure="largest"),
    Operation("any", plain("any"), s.reduced()),
    Operation("all", plain("all"), s.reduced()),
    Operation("softmax", plain("softmax"), s.reduced(many=False, none=False, keepdim=False),
              ulp=8, grad_ulp=16, measure="largest"),
    Operation("log_softmax", plain("log_softmax"),
              s.reduced(many=False, none=False, keepdim=False), ulp=8, grad_ulp=16,
              measure="largest"),
    Operation("Tensor.softmax", lambda t, x, dim: x.softmax(dim, dtype=t.float64),
              s.reduced(many=False, none=False, keepdim=False), ulp=8, grad_ulp=16,
              measure="largest"),
    Operation("Tensor.log_softmax", lambda t, x, dim: x.log_softmax(dim=dim),
              s.reduced(many=False, none=False, keepdim=False, kinds=FLOATING), ulp=8, grad_ulp=16,
              measure="largest"),
]  # fmt: skip


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))
