"""Compiled training steps do what the functions do."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.compiler import steps
from tinygrad_mnist.compiler.choices import Product


def batches(count, rows, columns, classes):
    torch.manual_seed(1)
    return [(torch.rand(rows, columns), torch.randint(0, classes, (rows,))) for _ in range(count)]


def agree(ours, theirs):
    close = (
        {"rtol": 1e-5, "atol": 1e-6}
        if ours.dtype is torch.float32
        else {"rtol": 1e-9, "atol": 1e-15}
    )
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), **close)


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def default_dtype(request):
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


def assert_same_training(make, data, *more):
    eager, wanted = make()
    function, found = make()
    compiled = torch.compile(function)
    for seed, (x, y) in enumerate(data):
        torch.manual_seed(seed)
        loss = compiled(x, y, *more)
        torch.manual_seed(seed)
        agree(loss.detach(), eager(x, y, *more).detach())
        for name, parameter in wanted.items():
            agree(found[name].detach(), parameter.detach())
            assert (found[name].grad is None) == (parameter.grad is None)
            if parameter.grad is not None:
                agree(found[name].grad, parameter.grad)
    assert compiled.source.startswith("def step(")
    return compiled


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("stage", ["raw", "functional", "module"])
def test_logistic_steps(stage):
    data = batches(3, 16, 784, 10)
    assert_same_training(lambda: steps.logistic(stage), data, 0.25)


def test_a_logistic_step_compiled_by_numba():
    data = batches(4, 16, 784, 10)
    compiled = assert_same_training(lambda: steps.logistic("functional"), data, 0.25)
    assert compiled.stats.instructions > 0


def test_a_convolutional_step_compiled_by_numba():
    assert_same_training(steps.pooled_convolutional, batches(3, 6, 64, 5))


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=0.5),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01, weight_decay=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "ascent": lambda p: torch.optim.SGD(p, lr=0.01, maximize=True, dampening=0.1, momentum=0.5),
}


@pytest.mark.usefixtures("plain", "default_dtype")
@pytest.mark.filterwarnings("error:compile")
@pytest.mark.parametrize("name", OPTIMISERS)
def test_perceptrons_with_optimisers(name):
    data = batches(7, 7, 12, 5)
    assert_same_training(lambda: steps.perceptron(OPTIMISERS[name]), data)


LAYERED = {
    steps.convolutional: (6, 64, 5),
    steps.normalised_convolutional: (6, 64, 5),
    steps.normalised_perceptron: (7, 12, 5),
    steps.pooled_convolutional: (6, 64, 5),
    steps.pooled_twice: (4, 64, 5),
    steps.sequences: (5, 24, 5),
    steps.attentive: (6, 12, 5),
    steps.recurrent: (6, 12, 5),
    steps.residual: (6, 12, 5),
    steps.looked_up: (6, 3, 5),
    steps.clipped: (6, 12, 5),
    steps.gathering_gradients: (6, 12, 5),
}


@pytest.mark.usefixtures("plain", "default_dtype")
@pytest.mark.filterwarnings("error:compile")
@pytest.mark.parametrize("make", LAYERED, ids=lambda make: make.__name__)
def test_steps_of_many_layers(make):
    assert_same_training(make, batches(4, *LAYERED[make]))


@pytest.mark.usefixtures("plain")
@pytest.mark.filterwarnings("error:compile")
def test_batches_of_one_are_compiled():
    data = batches(3, 1, 12, 5)
    assert_same_training(lambda: steps.perceptron(OPTIMISERS["momentum"]), data)
    assert_same_training(steps.convolutional, batches(3, 1, 64, 5))
    for stage in ("raw", "functional", "module"):
        assert_same_training(
            lambda stage=stage: steps.logistic(stage), batches(3, 1, 784, 10), 1e-3
        )


@pytest.mark.usefixtures("plain")
def test_batches_as_large_as_there_are_classes():
    assert_same_training(lambda: steps.perceptron(OPTIMISERS["sgd"]), batches(4, 5, 12, 5))
    assert_same_training(lambda: steps.logistic("raw"), batches(3, 10, 784, 10), 0.1)


PRODUCTS = [
    (16, 25, 9), (10, 64, 28), (84, 64, 10), (7, 12, 5), (5, 8, 7), (2, 4, 5),
    (128, 7, 48), (13, 64, 784), (64, 37, 33), (9, 3, 80), (33, 64, 16), (40, 17, 5), (6, 50, 64),
    (784, 1, 10), (64, 1, 48),
]  # fmt: skip


@pytest.mark.parametrize("a_transposed", [False, True])
@pytest.mark.parametrize("b_transposed", [False, True])
@pytest.mark.parametrize("sizes", PRODUCTS)
@pytest.mark.parametrize("added", [False, True])
def test_every_way_to_multiply_gives_the_product(a_transposed, b_transposed, sizes, added, loops):
    m, k, n = sizes
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if a_transposed else (m, k)).astype(np.float32)
    b = rng.standard_normal((n, k) if b_transposed else (k, n)).astype(np.float32)
    operands = (a.T if a_transposed else a, b.T if b_transposed else b)
    product = Product(a_transposed, b_transposed, m, k, n, np.dtype(np.float32), added=added)
    for name in product.candidates():
        before = rng.standard_normal((m, n)).astype(np.float32)
        out = before.copy()
        getattr(loops.products, name)(*operands, out, *([np.float32(0.5)] if added else []))
        wanted = before * added + operands[0] @ operands[1] * (0.5 if added else 1)
        np.testing.assert_allclose(out, wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_every_way_is_tried_by_some_size(loops):
    tried = {
        name
        for m, k, n in PRODUCTS
        for turns in ((False, False), (False, True), (True, False), (True, True))
        for added in (False, True)
        for name in Product(*turns, m, k, n, np.dtype(np.float32), added=added).candidates()
    }
    ways = vars(loops.products)
    functions = {name for name in ways if hasattr(ways[name], "py_func") and name[0] != "_"}
    assert tried == functions - {"batch"}


@pytest.mark.parametrize("name", ["batch", "_batch_by_loops"])
def test_batches_of_products_are_computed_where_they_lie(loops, name):
    rng = np.random.default_rng(0)
    heads, values = rng.standard_normal((2, 5, 3, 2, 4)), rng.standard_normal((2, 5, 2, 4))
    rows = np.zeros((2, 2, 5, 5))
    out = np.zeros((2, 5, 2, 4))
    given = heads.reshape(-1)
    function = getattr(loops.products, name)
    function((2, 2), (5, 4, 5), given, (0, 120, 4, 24, 1), given, (8, 120, 4, 1, 24),
             rows.reshape(-1), (0, 50, 25, 5, 1))  # fmt: skip
    function((2, 2), (5, 5, 4), rows.reshape(-1), (0, 50, 25, 1, 5), values.reshape(-1),
             (0, 40, 4, 8, 1), out.reshape(-1), (0, 40, 4, 8, 1))  # fmt: skip
    wanted = np.einsum("nihd,njhd->nhij", heads[:, :, 0], heads[:, :, 1])
    np.testing.assert_allclose(rows, wanted, rtol=1e-12)
    np.testing.assert_allclose(out, np.einsum("nhji,njhd->nihd", wanted, values), rtol=1e-12)
