"""`torch.compiler`, `Module.compile`, and the options of `compile`."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import pytest
import torch as pytorch

import tinygrad_mnist as torch
from tinygrad_mnist import nn

pytestmark = pytest.mark.usefixtures("plain")


def test_a_function_learns_whether_it_is_traced(capsys: Any) -> None:
    @torch.compile
    def double(x: Any) -> Any:
        print("traced", torch.compiler.is_compiling())
        return 2 * x

    def said() -> str:
        double(torch.ones(2))
        return capsys.readouterr().out

    assert said() == "traced True\n"
    assert said() == ""
    assert not torch.compiler.is_compiling()
    torch.compiler.reset()
    assert said() == "traced True\n"
    torch._dynamo.reset()
    assert said() == "traced True\n"
    assert said() == ""


def test_a_disabled_function_is_not_compiled() -> None:
    calls = []

    @torch.compiler.disable(reason="it prints")
    def noted(x: Any) -> Any:
        calls.append(x.sum().item())
        return x + 1

    @torch.compile
    def step(x: Any) -> Any:
        return noted(x) * 2

    with pytest.warns(UserWarning, match=r"runs uncompiled: noted is disabled \(it prints\)"):
        assert step(torch.ones(2)).tolist() == [4, 4]
    assert step(torch.zeros(2)).tolist() == [2, 2]
    assert calls == [2, 0]
    assert noted(torch.ones(1)).tolist() == [2]


def test_a_module_is_compiled_in_place() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    plain = copy.deepcopy(layer)
    layer.compile(mode="default")
    for rows in (4, 4, 2):
        x = torch.rand(rows, 3)
        for each in (layer, plain):
            each.zero_grad()
            each(x).pow(2).sum().backward()
        assert torch.allclose(layer.weight.grad, plain.weight.grad)
    assert layer(x).grad_fn.name() == "CompiledFunctionBackward"
    assert list(layer.state_dict()) == list(plain.state_dict())
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        twin.weight.zero_()
        assert torch.equal(twin(x), twin.bias.expand(2, 2))
        assert torch.allclose(layer(x), plain(x))


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "nope"},
        {"mode": "default", "options": {"epilogue_fusion": True}},
        {"backend": "nope"},
    ],
)
def test_options_that_are_wrong_are_refused_as_by_pytorch(options: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError) as theirs:
        pytorch.compile(lambda x: x, **options)
    with pytest.raises(RuntimeError) as ours:
        torch.compile(lambda x: x, **options)
    assert str(ours.value).split("see")[0] == str(theirs.value).split("see")[0]


def test_what_cannot_be_called_and_backends_of_ones_own_are_refused() -> None:
    with pytest.raises(AssertionError, match="A callable function is expected, but <class 'int'>"):
        torch.compile(3)
    with pytest.raises(NotImplementedError, match=r"look at \.program"):
        torch.compile(lambda x: x, backend=lambda graph, inputs: graph)
    assert torch.compile(mode="reduce-overhead")(lambda x: x + 1)(torch.zeros(1)).item() == 1


class Counter:
    """An object of which a number changes at each call."""

    n = 0


@pytest.mark.parametrize("as_argument", [False, True])
def test_what_is_traced_at_each_call_runs_uncompiled_after_a_while(as_argument: bool) -> None:
    counter, limit = Counter(), torch.compiler.config.recompile_limit

    @torch.compile
    def step(x: Any, n: int) -> Any:
        return x * (n if as_argument else counter.n)

    def call(n: int) -> None:
        counter.n = n
        assert step(torch.ones(2), n if as_argument else 0)[0].item() == n

    for n in range(limit + 1):
        call(n)
    assert step.stats.traces == limit + 1
    with pytest.warns(UserWarning, match=r"traced at each of its last 8 calls.* n ") as told:
        deque(map(call, (101, 102)))
    assert len(told) == 1
    for n in (limit, limit, 103):
        call(n)
    assert step.stats.traces == limit + 2
