"""Compiled functions whose results are differentiated after the call."""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.usefixtures("plain")


def same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


NETS = {
    "perceptron": lambda: nn.Sequential(nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 5)),
    "dropout": lambda: nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Dropout(0.5), nn.Linear(9, 5)),
    "batch norm": lambda: nn.Sequential(nn.Linear(12, 9), nn.BatchNorm1d(9), nn.Linear(9, 5)),
    "layer norm": lambda: nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 5)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2, stride=1), nn.Flatten(), nn.Linear(24, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_model_trains_as_the_model_does(name: str, dtype: Any) -> None:
    def make() -> tuple[Any, Any]:
        torch.manual_seed(0)
        model = NETS[name]().to(dtype)
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    (plain, plain_optimizer), (model, optimizer) = make(), make()
    compiled = torch.compile(model)
    for seed, rows in enumerate([8, 8, 8, 3, 8]):
        losses = []
        for forward, update in ((plain, plain_optimizer), (compiled, optimizer)):
            torch.manual_seed(seed)
            x, y = torch.rand(rows, 12, dtype=dtype), torch.randint(0, 5, (rows,))
            update.zero_grad()
            loss = F.cross_entropy(forward(x), y)
            loss.backward()
            update.step()
            losses.append(loss)
        same(*losses)
        for p, q in zip(model.parameters(), plain.parameters(), strict=True):
            same(p, q)
    for p, q in zip(model.buffers(), plain.buffers(), strict=True):
        same(p, q)
    assert len(compiled._compiled._entries) == 2
    compiled.eval(), plain.eval()
    same(compiled(x), plain(x))
    assert compiled(x).grad_fn.name() == "CompiledFunctionBackward"
    with torch.no_grad():
        assert compiled(x).grad_fn is None


def test_gradients_flow_to_what_an_argument_was_computed_from() -> None:
    def unrolled(cell: Any) -> list[Any]:
        torch.manual_seed(1)
        w, u = torch.randn(3, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
        x, h = torch.randn(5, 2, 3, requires_grad=True), torch.zeros(2, 4)
        for each in x:
            h = cell(each, h, w, u)
        h.pow(2).sum().backward()
        return [w.grad, u.grad, x.grad]

    def cell(x: Any, h: Any, w: Any, u: Any) -> Any:
        return torch.tanh(x @ w + h @ u)

    for found, wanted in zip(unrolled(torch.compile(cell)), unrolled(cell), strict=True):
        same(found, wanted)


def test_several_results_each_with_its_gradients() -> None:
    def several(x: Any, w: Any) -> Any:
        return {"product": x * w, "sums": ((w * w).sum(), x.sum())}, x + 1, w

    compiled = torch.compile(several)
    w, x = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
    for scale in (1.0, 2.0, 3.0):
        x = x * scale
        results = [f(x, w) for f in (several, compiled)]
        for pick in (
            lambda r: r[0]["product"].sum(),
            lambda r: r[0]["sums"][0],
            lambda r: r[0]["product"].prod() * r[0]["sums"][0] + r[2].sum(),
        ):
            wanted, found = (torch.autograd.grad(pick(r), w, retain_graph=True) for r in results)
            same(found[0], wanted[0])
        found_ = results[1]
        assert not found_[1].requires_grad
        assert not found_[0]["sums"][1].requires_grad
        assert found_[2] is w


def test_each_call_keeps_its_own_values() -> None:
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    power = torch.compile(lambda x: (w * x).exp())
    first, second = power(torch.tensor([0.1, 0.2])), power(torch.tensor([0.5, 0.6]))
    third = power(torch.tensor([-1.0, 0.0]))
    for result, x in ((third, [-1.0, 0.0]), (first, [0.1, 0.2]), (second, [0.5, 0.6])):
        given = torch.tensor(x)
        (found,) = torch.autograd.grad(result.sum(), w)
        same(found, given * (w * given).exp())


def test_numbers_from_outside_are_those_of_the_call() -> None:
    w = torch.ones(3, requires_grad=True)
    scaled = torch.compile(lambda scale: (w.sin() * scale).sum())
    results = [(scale, scaled(scale)) for scale in (1.0, 2.0, 5.0, 7.0)]
    for scale, result in results[::-1]:
        (found,) = torch.autograd.grad(result, w)
        same(found, scale * torch.ones(3).cos())


def test_an_input_that_is_not_contiguous_and_one_that_requires_gradients() -> None:
    w = torch.rand(4, 3, requires_grad=True)

    def forward(x: Any) -> Any:
        return torch.relu(x.mT @ w).sum()

    compiled = torch.compile(forward)
    for seed in range(3):
        torch.manual_seed(seed)
        x = torch.randn(6, 4).mT.requires_grad_()
        wanted = torch.autograd.grad(forward(x), (x, w))
        found = torch.autograd.grad(compiled(x), (x, w))
        for a, b in zip(found, wanted, strict=True):
            same(a, b)


def test_the_backward_pass_is_refused_as_usual() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    square = torch.compile(lambda: (w * w).sum())
    for _ in range(2):
        result = square()
        result.backward()
        with pytest.raises(RuntimeError, match="Trying to backward through the graph a second"):
            result.backward()
        kept = square()
        kept.backward(retain_graph=True)
        kept.backward()
        changed = square()
        with torch.no_grad():
            w.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            changed.backward()
        (slope,) = torch.autograd.grad(square(), w, create_graph=True)
        same(slope, 2 * w)
        with pytest.raises(RuntimeError, match="does not currently support double backward"):
            slope.sum().backward()


TWICE = {
    "linear": lambda x: x * 3,
    "x²": lambda x: x * x,
    "x³": lambda x: x**3,
    "eˣ": lambda x: x.exp(),
    "relu": lambda x: x.relu(),
    "sum": lambda x: (x * x).sum(),
}


@pytest.mark.parametrize("function", TWICE.values(), ids=TWICE)
def test_a_gradient_of_a_gradient_is_refused_and_never_silently_absent(function: Any) -> None:
    compiled = torch.compile(function)
    for _ in range(2):
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (slope,) = torch.autograd.grad(compiled(x).sum(), x, create_graph=True)
        (wanted,) = torch.autograd.grad(function(x).sum(), x)
        same(slope.detach(), wanted)
        assert slope.requires_grad
        for start in (
            lambda s=slope: s.sum().backward(),
            lambda s=slope, x=x: torch.autograd.grad(s.sum(), x),
        ):
            with pytest.raises(RuntimeError, match="does not currently support double backward"):
                start()


def test_hooks_run_once_and_a_frozen_parameter_gets_nothing() -> None:
    layer = nn.Linear(3, 2)
    compiled = torch.compile(layer)
    x = torch.rand(4, 3)
    compiled(x).sum().backward()
    layer.zero_grad()
    seen: list[Any] = []
    layer.bias.register_hook(lambda grad: seen.append(grad) or 2 * grad)
    with pytest.warns(UserWarning, match="runs uncompiled: .* has a hook"):
        result = compiled(x)
    result.sum().backward()
    assert len(seen) == 1
    same(layer.bias.grad, torch.tensor([8.0, 8.0]))
    layer.weight.requires_grad_(False)
    layer.zero_grad()
    compiled(x).sum().backward()
    assert layer.weight.grad is None


def test_a_function_that_walks_back_through_an_argument_runs_uncompiled() -> None:
    w = torch.tensor(2.0, requires_grad=True)

    @torch.compile
    def penalised(x: Any) -> Any:
        (x * x).backward(retain_graph=True)
        return x * 3

    for number in range(3):
        x = w * 3
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = penalised(x)
        assert [str(each.message) for each in caught if number] == []
        assert number or "backpropagates through a tensor" in str(caught[0].message)
        assert w.grad.item() == 36.0
        w.grad = None
        result.backward()
        assert w.grad.item() == 9.0
        w.grad = None


@pytest.mark.filterwarnings("error:compile")
def test_a_computed_tensor_in_a_container() -> None:
    w = torch.tensor(2.0, requires_grad=True)
    total = torch.compile(lambda parts: parts[0] * parts[1])
    for n in (3, 4):
        total([w * n, w]).backward()
        assert w.grad.item() == 4.0 * n
        w.grad = None


def test_memory_goes_with_the_graph() -> None:
    w = torch.ones(1000, requires_grad=True)
    forward = torch.compile(lambda x: (w * x).exp().sum())
    forward(torch.ones(1000))
    gc.disable()
    try:
        x = torch.ones(1000)
        result = forward(x)
        given = weakref.ref(x)
        result.backward()
        del x, result
        assert given() is None
    finally:
        gc.enable()
