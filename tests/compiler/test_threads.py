"""What a compiled program computes is the same bits with one thread and with two."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_mnist as torch
from tinygrad_mnist.kernels import blas_threads, dispatch, team
from tinygrad_mnist.nn import functional as F

from .programs import OPERATIONS, assert_same


@pytest.fixture(autouse=True)
def small_pieces():
    """Loops are shared however small they are."""
    dispatch.prepare()
    before = torch.get_num_threads(), team.worth()
    yield
    torch.set_num_threads(before[0])
    team.set_worth(before[1])


def use(threads):
    torch.set_num_threads(threads)
    team.set_worth(64)


sizes = st.integers(1, 400)


@settings(max_examples=20)
@given(m=sizes, k=sizes, n=sizes, turned=st.tuples(st.booleans(), st.booleans()))
def test_products_of_blas(m, k, n, turned):
    from tinygrad_mnist.compiler.loops import products

    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    a, b = (np.asfortranarray(x) if t else x for x, t in zip((a, b), turned, strict=True))
    found = {}
    for threads in (1, 2):
        use(threads)
        found[threads] = np.zeros((m, n))
        products.blas(a, b, found[threads])
        assert torch.get_num_threads() == threads
    np.testing.assert_allclose(found[1], a @ b, atol=1e-9)
    np.testing.assert_array_equal(found[1], found[2])


def everything(x, y, row, bias):
    """Loops of every kind: flat, over rows with reductions, over one row, over columns."""
    wide = F.gelu(x + bias).exp() - y
    return (
        wide.softmax(-1) * y, F.layer_norm(x, x.shape[1:]), (row * 2).tanh(), x.cumsum(1),
        (x.T - y.T).amax(1), torch.where(x > y, x, y).T.exp() + row[0],
    )  # fmt: skip


@pytest.mark.usefixtures("shared")
def test_loops_that_are_shared():
    compiled = torch.compile(everything)
    for n in (65, 37, 129, 2):
        torch.manual_seed(n)
        x, y, row, bias = (torch.randn(n, 33), torch.randn(n, 33), torch.randn(500 + n),
                           torch.randn(33))  # fmt: skip
        found = {}
        for threads in (1, 2):
            use(threads)
            found[threads] = compiled(x, y, row, bias)
        for one, two, wanted in zip(*found.values(), everything(x, y, row, bias), strict=True):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_allclose(one, wanted, 1e-5, 1e-5)
    assert compiled.source.count("# shared") > 3
    assert len(compiled.stats.recompilations) == 1


MANY = "layer_norm", "softmax", "gelu", "cumsum", "var", "tm two"


class Many:
    """A step of many operations of all kinds, and the weights that it trains."""

    def __init__(self):
        torch.manual_seed(0)
        shapes = (3, 1, 3, 3), (48, 10), (10, 10)
        self.weights = [(0.2 * torch.randn(*shape)).requires_grad_() for shape in shapes]
        self.optimizer = torch.optim.Adam(self.weights)

    def step(self, x, y):
        filters, first, second = self.weights
        self.optimizer.zero_grad()
        hidden = F.max_pool2d(F.conv2d(x, filters, padding=1), 2).flatten(1) @ first
        out = hidden @ second
        many = [function(*[out, hidden][:count]) for function, count in map(OPERATIONS.get, MANY)]
        loss = F.cross_entropy(out, y) + sum(each.mean() for each in many)
        loss.backward()
        self.optimizer.step()
        return loss

    def done(self, make):
        """What each step gives and leaves behind; the first is run as it is."""
        step, random = self.step, np.random.default_rng(0)
        for size in (4, 64, 70, 12, 65, 2):
            x = torch.tensor(random.standard_normal((size, 1, 8, 8)), dtype=torch.float32)
            loss = step(x, torch.tensor(random.integers(0, 10, size)))
            step = make(self.step) if step == self.step else step
            state = [v for w in self.weights for v in self.optimizer.state[w].values()]
            left = loss, *self.weights, *[w.grad for w in self.weights], *state
            yield [each.detach().clone() for each in left]


@pytest.mark.usefixtures("shared")
def test_many_operations_of_any_size_in_one_program():
    found, shared = {}, {}
    for threads in (1, 2):
        use(threads)
        before = team._words[team.LATEST]
        found[threads] = [*Many().done(functools.partial(torch.compile, dynamic=True))]
        shared[threads] = team._words[team.LATEST] > before
    eager = Many().done(lambda step: step)
    for n, (one, two, wanted) in enumerate(zip(found[1], found[2], eager, strict=True)):
        for place, each in enumerate(zip(one, two, wanted, strict=True)):
            assert_same(each[1], each[0], 0, 0, f"call {n}, value {place}, threads")
            assert_same(each[0], each[2], 2e-3, 1e-4, f"call {n}, value {place}")
    assert shared == {1: False, 2: team.is_possible and blas_threads.NUMPYS is not None}
