"""Deep graphs, memory without the garbage collector, and graphs used by several threads."""

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_mnist as torch


def chain(x, length):
    """x, passed through `length` operations."""
    for _ in range(length):
        x = x + 1.0
    return x


def test_a_chain_of_100_000_operations_goes_backward():
    x = torch.zeros(2, requires_grad=True)
    y = chain(x, 100_000)
    y.sum().backward()
    assert y[0].item() == 100_000
    assert x.grad.tolist() == [1, 1]


def test_a_third_of_a_million_records_are_freed_without_recursion():
    x = torch.zeros(1, requires_grad=True)
    y = chain(x, 333_333)
    last = weakref.ref(y.grad_fn)
    del y
    assert last() is None


def test_a_wide_graph_and_a_shared_input():
    x = torch.ones(3, requires_grad=True)
    total = x
    for _ in range(2_000):
        total = total + x * x
    total.sum().backward()
    assert x.grad.tolist() == [4001.0] * 3


@pytest.fixture
def _without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def step(weights, x):
    """One training step with a bit of everything that leaves records."""
    hidden = (x @ weights).tanh().clone()
    hidden[:, 0] = 0.5
    hidden *= 2
    picked = hidden[range(len(x)), [0, 1, 2, 3]]
    loss = (picked * picked).mean() + hidden.exp().sum().log() + hidden[x.sum(1) > 0].sum()
    loss.backward()
    with torch.no_grad():
        weights -= 0.1 * weights.grad
        weights.grad.zero_()


@pytest.mark.usefixtures("_without_collector")
def test_memory_returns_to_its_start_after_each_step():
    weights = torch.ones(50, 4, requires_grad=True)
    x = torch.ones(4, 50)
    for _ in range(3):
        step(weights, x)
    tracemalloc.start()
    in_use = []
    for _ in range(3):
        for _ in range(20):
            step(weights, x)
        in_use.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert in_use[2] - in_use[1] < 1_000


@pytest.mark.usefixtures("_without_collector")
def test_what_is_no_longer_needed_is_freed_early():
    x = torch.ones(1000, 1000, requires_grad=True)
    tracemalloc.start()
    y = x
    for _ in range(50):
        y = y + 1
    assert tracemalloc.get_traced_memory()[0] < 3 * 4_000_000
    tracemalloc.stop()


@pytest.mark.usefixtures("_without_collector")
@pytest.mark.parametrize(
    "use",
    [
        lambda x: (x * x).sum().backward(),
        lambda x: torch.autograd.grad((x * x).sum(), x, create_graph=True),
        lambda x: x[0].backward(),
        lambda x: x.view(3).register_hook(print),
        lambda x: (x * 2).retain_grad(),
        lambda x: (x * 2).add_(1),
        lambda x: x.requires_grad_(False).requires_grad_(),
    ],
)
def test_no_reference_cycles(use):
    x = torch.ones(3, requires_grad=True)
    alive = weakref.ref(x)
    use(x)
    del x
    assert alive() is None


def test_one_graph_walked_by_several_threads():
    x = torch.ones(1000, requires_grad=True)
    y = chain(x * x, 50)
    errors = []

    def walk():
        try:
            for _ in range(20):
                y.sum().backward(retain_graph=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=walk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_array_equal(x.grad.numpy(), np.full(1000, 160, np.float32))


def test_graphs_built_by_several_threads_on_shared_leaves():
    shared = torch.ones(100, requires_grad=True)
    own = [torch.full((100,), float(i), requires_grad=True) for i in range(4)]

    def train(leaf):
        for _ in range(30):
            (chain(shared * leaf, 5).sum() + (leaf * leaf).sum()).backward()

    threads = [threading.Thread(target=train, args=(leaf,)) for leaf in own]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.grad.tolist() == [30.0 * (0 + 1 + 2 + 3)] * 100
    for i, leaf in enumerate(own):
        assert leaf.grad.tolist() == [30.0 * (1 + 2 * i)] * 100


def test_an_error_in_a_formula_puts_the_modes_back():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    assert torch.is_grad_enabled()
    with np.errstate(all="raise"), torch.no_grad():
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward(torch.ones(2))
        assert not torch.is_grad_enabled()
        assert np.geterr()["over"] == "raise"
