"""Mixed precision beside PyTorch's: types over the table of operations, and scaled gradients."""

import threading
import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

ENGINES = (tinygrad_mnist, torch)


def types_of(result):
    if isinstance(result, list | tuple) and type(result).__name__ != "Size":
        return [kind for each in result for kind in types_of(each)]
    return [str(result.dtype)] if hasattr(result, "requires_grad") else []


def types_under_autocast(engine, row, sample, given):
    arguments, options = twin(engine, read([sample.arguments, sample.options])).arguments
    if given == "bfloat16":
        arguments = tuple([lower(engine, each) for each in arguments])
    with engine.autocast("cpu"):
        try:
            return types_of(row.call(engine, row.name, *arguments, **options))
        except Exception as error:
            return error


def lower(engine, value):
    is_float = hasattr(value, "requires_grad") and value.dtype is engine.float32
    return value.detach().to(engine.bfloat16) if is_float else value


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
def test_every_operation_gives_pytorch_s_types_under_autocast(given):
    wrong = []
    for row in OPERATIONS:
        sample = row.sample("ordinary", 0)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ours, theirs = (types_under_autocast(each, row, sample, given) for each in ENGINES)
        refused = isinstance(ours, Exception) or isinstance(theirs, Exception)
        if "linalg.matrix_exp: Low precision" in str(ours):
            continue
        if not (isinstance(theirs, Exception) if refused else ours == theirs):
            wrong.append((row.name, ours, theirs))
    assert not wrong


def trained(engine, lower=None, **options):
    engine.manual_seed(0)
    nn = engine.nn
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    scaler = engine.amp.GradScaler("cpu", growth_interval=2, **options)
    x, target, told = engine.randn(6, 4), engine.arange(6) % 3, []
    for step in range(5):
        with engine.autocast("cpu", dtype=lower and getattr(engine, lower)):
            loss = nn.functional.cross_entropy(model(x), target)
        factor = float("inf") if step == 1 else 1.0
        optimizer.zero_grad()
        scaler.scale(loss * factor).backward()
        if step % 2:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        told.append((scaler.get_scale(), scaler.state_dict(), str(loss.dtype)))
    kinds = {str(parameter.grad.dtype) for parameter in model.parameters()}
    return told, kinds, loss.item()


@pytest.mark.parametrize("lower", [None, "float16"])
def test_training_with_autocast_and_scaled_gradients(lower):
    ours, theirs = (trained(engine, lower, init_scale=256.0) for engine in ENGINES)
    assert ours[:2] == theirs[:2]
    assert ours[2] == pytest.approx(theirs[2], rel=0.02)


def refusals(engine):
    """The errors of calls in the wrong order, and of wrong arguments."""
    weight = engine.ones(2, requires_grad=True)
    weight.grad = engine.ones(2)
    optimizer = engine.optim.SGD([weight], lr=0.1)
    scaler = engine.amp.GradScaler("cpu")

    def twice(call):
        scaler.scale(weight)
        call(optimizer)
        call(optimizer)

    tried = (
        lambda: scaler.step(optimizer), scaler.update, lambda: twice(scaler.unscale_),
        lambda: twice(scaler.step), lambda: scaler.unscale_(optimizer),
        lambda: scaler.step(optimizer, closure=lambda: 1), lambda: scaler.load_state_dict({}),
        lambda: engine.autocast(3), lambda: scaler.scale(3),
    )  # fmt: skip
    for call in tried:
        with pytest.raises((AssertionError, RuntimeError, ValueError)) as caught:
            call()
        yield type(caught.value), str(caught.value)


def test_errors_are_pytorch_s():
    assert list(refusals(tinygrad_mnist)) == list(refusals(torch))


@pytest.mark.parametrize("engine", ENGINES)
def test_autocast_nests_is_of_one_thread_and_keeps_casts_of_parameters(engine):
    weight, x = engine.ones(2, 2, requires_grad=True), engine.ones(2, 2)
    seen = []

    @engine.autocast("cpu")
    def decorated():
        return (x @ x).dtype

    with engine.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
        assert engine.is_autocast_enabled("cpu")
        assert not engine.is_autocast_enabled()
        with engine.autocast("cpu", enabled=False):
            assert (x @ x).dtype is engine.float32
        with engine.autocast("cpu", dtype=engine.float16):
            assert (x @ x).dtype is engine.float16
            assert engine.get_autocast_dtype("cpu") is engine.float16
        first, second = x @ weight, x @ weight
        assert (x.double() @ x.double()).dtype is engine.float64
    casts = [each.grad_fn.next_functions[1][0] for each in (first, second)]
    assert casts[0] is casts[1]
    (first + second).sum().backward()
    assert weight.grad.dtype is engine.float32
    assert seen == [engine.float32]
    assert decorated() is engine.bfloat16
    assert not engine.is_autocast_enabled("cpu")
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        engine.autocast("cpu", dtype=engine.float64)
