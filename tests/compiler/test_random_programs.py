"""Random functions do the same uncompiled, replayed, and compiled, call after call."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist as torch
from tinygrad_mnist.compiler import cache_entry
from tinygrad_mnist.compiler.codegen.writer import Unsupported
from tinygrad_mnist.nn import functional as F

UNARY = [
    lambda x: torch.tanh(x), lambda x: x.sigmoid(), lambda x: torch.relu(x), lambda x: -x,
    lambda x: x.abs(), lambda x: x.exp().clamp(max=3), lambda x: x * 0.5, lambda x: 1 - x,
    lambda x: x / 3, lambda x: x**2, lambda x: (x * x + 1).sqrt(), lambda x: (x * x + 1).log(),
    lambda x: x.sum(), lambda x: x.mean(), lambda x: x.sum(-1), lambda x: x.sum(0),
    lambda x: x.sum(-1, keepdim=True), lambda x: x.mean(0, keepdim=True), lambda x: x.detach(),
    lambda x: x.clone().add_(1), lambda x: x.clone().mul_(x), lambda x: x.reshape(-1),
    lambda x: x.transpose(0, -1), lambda x: x[:1], lambda x: x[..., -1], lambda x: x.unsqueeze(0),
    lambda x: torch.softmax(x, -1), lambda x: torch.log_softmax(x, -1), lambda x: x.amax(-1),
    lambda x: torch.zeros_like(x).add_(x), lambda x: torch.where(x > 0, x, 0.1 * x),
    lambda x: x.cumsum(0), lambda x: x.expand(2, *x.shape).sum(0),
    lambda x: x.cumsum(-1), lambda x: torch.softmax(x, 0), lambda x: x.amax(0), lambda x: x.max(),
    lambda x: x.max(-1).values, lambda x: x.min(0)[0], lambda x: x.tanh().prod(-1),
    lambda x: x.var(0, correction=0),
    lambda x: x.logsumexp(-1), lambda x: x.clamp(-1, 0.5), lambda x: x[:, None], lambda x: x[1:],
    lambda x: x.flip(0), lambda x: torch.roll(x, 1, -1), lambda x: x[[0, -1]], lambda x: x.tril(),
    lambda x: x.gather(-1, x.argsort(-1)[..., :2] * 0 + 1), lambda x: torch.stack([x, -x], -1),
    lambda x: x * (x > 0), lambda x: x.norm(dim=-1, keepdim=True), lambda x: x.unsqueeze(-1),
    lambda x: put(x.clone(), 0, 0.5), lambda x: put(x.clone(), x > 0, 0.5),
    lambda x: put(x.clone(), (Ellipsis, 0), x[..., -1]), lambda x: x[:, x.argmax(-1).abs() % 2],
    lambda x: F.layer_norm(x, x.shape[-1:]), lambda x: F.leaky_relu(x), lambda x: F.softplus(x),
    lambda x: F.max_pool2d(x[None], 2), lambda x: F.avg_pool2d(x[None], 2, 1),
    lambda x: F.pad(x, (1, 1)), lambda x: x.diagonal(), lambda x: x.sum((0, -1)),
]  # fmt: skip
BINARY = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / (1 + y.abs()),
    lambda x, y: torch.maximum(x, y), lambda x, y: torch.where(x > y, x, y), lambda x, y: x @ y,
    lambda x, y: torch.add(x, y, alpha=0.5), lambda x, y: x.clone().copy_(y),
    lambda x, y: torch.cat([x, y]), lambda x, y: torch.cat([x, y], -1), lambda x, y: x @ y.mT,
    lambda x, y: torch.stack([x, y]), lambda x, y: x[:, None] * y, lambda x, y: torch.outer(x, y),
    lambda x, y: x[..., None] - y, lambda x, y: torch.einsum("i...,j...->ij", x, y),
    lambda x, y: x.masked_fill(y > 0, 0.1), lambda x, y: torch.minimum(x, y),
]  # fmt: skip


def put(x, key, value):
    x[key] = value
    return x


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(UNARY), st.integers(0, 9)),
        st.tuples(st.sampled_from(BINARY), st.integers(0, 9), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=10,
)


SIZES = st.sampled_from(
    [(5, 4, 3), (3, 3, 3), (4, 4, 2), (2, 3, 3), (1, 4, 3), (3, 1, 2), (3, 2, 1)]
)
"""Rows, what is multiplied, columns: different, alike, and one."""


def build(steps, dtype, sizes):
    """A step of training made of these operations, those that do not fit left out; and its data."""
    torch.manual_seed(0)
    w = torch.randn(*sizes[1:], dtype=dtype).requires_grad_()
    b = torch.randn(sizes[2], dtype=dtype).requires_grad_()

    def step(x, y, lr):
        values = [x @ w, y + b, w, x]
        for function, *places in steps:
            try:
                values.append(function(*[values[-1 - place % len(values)] for place in places]))
            except (RuntimeError, IndexError, NotImplementedError):
                continue
        loss = sum(value.mean() for value in values if value.numel())
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= lr * p.grad
                p.grad = None
        return loss, values[-1]

    return step, (w, b)


def assert_same(steps, dtype, sizes=(5, 4, 3), rows=None):
    """For some calls, each with as many rows as `rows` says, if it does."""
    eager, wanted = build(steps, dtype, sizes)
    function, found = build(steps, dtype, sizes)
    compiled = torch.compile(function)
    torch.manual_seed(1)
    tolerance = {"rtol": 2e-4, "atol": 2e-5} if dtype is torch.float32 else {"rtol": 1e-9}
    _, inner, columns = sizes
    for n, count in enumerate(rows or sizes[:1] * 4, 1):
        lr = 0.01 * n
        x, y = torch.randn(count, inner, dtype=dtype), torch.randn(count, columns, dtype=dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = compiled(x, y, lr)
        for ours, theirs in zip((*results, *found), (*eager(x, y, lr), *wanted), strict=True):
            np.testing.assert_allclose(ours.detach(), theirs.detach(), equal_nan=True, **tolerance)


@pytest.mark.usefixtures("plain")
@given(STEPS, st.sampled_from([torch.float32, torch.float64]), SIZES)
def test_compiled_programs_do_what_the_functions_do(steps, dtype, sizes):
    assert_same(steps, dtype, sizes)


@given(STEPS, st.sampled_from([torch.float32, torch.float64]), SIZES)
def test_replayed_programs_do_what_the_functions_do(steps, dtype, sizes):
    def refuse(program):
        raise Unsupported("this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_entry, "build", refuse)
        assert_same(steps, dtype, sizes)


@pytest.mark.usefixtures("plain")
@settings(max_examples=5)
@given(STEPS, st.sampled_from([torch.float32, torch.float64]), SIZES)
def test_one_program_does_what_the_function_does_at_any_size(steps, dtype, sizes):
    assert_same(steps, dtype, sizes, rows=(sizes[0] + 1, 8, 7, sizes[1], 2, 1, 8, 13, 5))


def test_a_program_of_many_kinds_compiled_by_numba():
    steps = [(UNARY[n], n % 3) for n in (0, 1, 5, 12, 16, 26, 27, 30, 20)]
    steps += [(BINARY[n], n, n + 1) for n in (0, 2, 3, 6)]
    assert_same(steps, torch.float32)
