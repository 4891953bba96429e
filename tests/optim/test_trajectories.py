"""Each optimiser takes PyTorch's path: 100 steps from the same start, with every setting."""

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist import kernels

RNG = np.random.default_rng(0)
START = RNG.standard_normal((4, 3))
INPUTS = RNG.standard_normal((100, 8, 4))
TARGETS = RNG.standard_normal((100, 8, 3))

SGD = [
    {"lr": 0.1},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    {"lr": 0.001, "maximize": True},
]
ADAM = [
    {},
    {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-4},
    {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1},
    {"lr": 0.01, "maximize": True},
]
ADAMW = [{}, {"lr": 0.05, "weight_decay": 0.2}, {"lr": 0.05, "amsgrad": True, "maximize": True}]
RMSPROP = [
    {},
    {"lr": 0.01, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1},
    {"lr": 0.01, "momentum": 0.9},
    {"lr": 0.01, "centered": True, "momentum": 0.5, "maximize": True},
]
CASES = [
    (name, settings)
    for name, all_settings in (
        ("SGD", SGD),
        ("Adam", ADAM),
        ("AdamW", ADAMW),
        ("RMSprop", RMSPROP),
    )
    for settings in all_settings
]


def trajectory(engine, name, settings, dtype, steps=100):
    """The parameters after every tenth step of a linear regression, and the optimiser's state.

    Each step sees other data, so that gradients never vanish: divided by their own size, as some
    optimisers do, the rounding of a vanishing gradient would decide where the path goes.
    """
    kind = getattr(engine, dtype)
    weight = engine.tensor(START, dtype=kind).requires_grad_()
    bias = engine.zeros(3, dtype=kind).requires_grad_()
    groups = [{"params": [weight]}, {"params": [bias], "lr": 0.02}]
    optimizer = getattr(engine.optim, name)(groups, **settings)
    path = []
    for step in range(steps):
        optimizer.zero_grad()
        x, y = engine.tensor(INPUTS[step], dtype=kind), engine.tensor(TARGETS[step], dtype=kind)
        ((x @ weight + bias - y) ** 2).mean().backward()
        optimizer.step()
        if step % 10 == 9:
            path += [weight.detach().numpy().copy(), bias.detach().numpy().copy()]
    state = optimizer.state_dict()
    return path, state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_trajectory(name, settings, dtype):
    theirs, their_state = trajectory(torch, name, settings, dtype)
    ours, our_state = trajectory(tinygrad_mnist, name, settings, dtype)
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    for have, want in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance)
    assert our_state["param_groups"] == their_state["param_groups"]
    assert our_state["state"].keys() == their_state["state"].keys()
    for number, state in their_state["state"].items():
        assert our_state["state"][number].keys() == state.keys()
        for key, value in state.items():
            have = our_state["state"][number][key]
            assert str(have.dtype) == str(value.dtype)
            np.testing.assert_allclose(have.numpy(), value.numpy(), tolerance, tolerance)


def test_a_parameter_without_gradient_stays():
    used = tinygrad_mnist.ones(2, requires_grad=True)
    unused = tinygrad_mnist.ones(2, requires_grad=True)
    for name in ("SGD", "Adam", "AdamW", "RMSprop"):
        optimizer = getattr(tinygrad_mnist.optim, name)([used, unused], lr=0.1, weight_decay=0.1)
        optimizer.zero_grad()
        used.sum().backward()
        optimizer.step()
        assert unused.tolist() == [1, 1]


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_lr_in_a_tensor(name):
    def run(engine):
        weight = engine.ones(3, requires_grad=True)
        lr = engine.tensor(0.25)
        optimizer = getattr(engine.optim, name)([weight], lr=lr)
        for _ in range(3):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()
            lr.mul_(0.5)
        return weight.tolist()

    np.testing.assert_allclose(run(tinygrad_mnist), run(torch), rtol=1e-6)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("dtype", [tinygrad_mnist.float32, tinygrad_mnist.float64])
def test_one_pass_over_memory_gives_the_same_bits_as_operations(name, dtype, monkeypatch):
    def trained():
        tinygrad_mnist.manual_seed(0)
        sizes = ((), (7,), (3, 5), (2, 3))
        params = [tinygrad_mnist.randn(size, dtype=dtype).requires_grad_() for size in sizes]
        params.append(tinygrad_mnist.randn(4, 3, dtype=dtype).t().requires_grad_())
        optimizer = getattr(tinygrad_mnist.optim, name)(params, lr=0.1, weight_decay=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            sum((p * p * p).sum() for p in params).backward()
            optimizer.step()
        kept = [value for state in optimizer.state.values() for value in state.values()]
        return [each.detach().numpy().copy() for each in (*params, *kept)]

    assert kernels.warm_up()
    found = trained()
    monkeypatch.setattr(kernels, "adam_update", lambda *given: False)
    for have, want in zip(found, trained(), strict=True):
        np.testing.assert_array_equal(have, want)
