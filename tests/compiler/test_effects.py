"""What a function does besides returning: done once at each call, whether it is compiled or not.

A trace ends midway where a value is read, where the function raises, where a program cannot be
made or Numba fails: nothing that was done may be lost or done again.
"""

from __future__ import annotations

import contextvars
import random
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_mnist as torch
from tests.compiler.conftest import as_code
from tinygrad_mnist import nn
from tinygrad_mnist.compiler import TraceError, build
from tinygrad_mnist.nn import functional as F

pytestmark = pytest.mark.usefixtures("plain")


class World:
    """A model with running statistics and hooks, its optimiser, and what else a step changes."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Dropout(0.5),
                                   nn.Linear(4, 2))  # fmt: skip
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)
        self.total, self.scale = torch.zeros(2), torch.ones(2, requires_grad=True)
        self.heard: list[str] = []
        self.model[3].register_forward_hook(lambda *_: self.heard.append("forward"))
        self.scale.register_hook(lambda gradient: self.heard.append("gradient"))

    def step(self, x: Any) -> Any:
        self.optimizer.zero_grad()
        out = self.model(x) * self.scale
        loss = F.mse_loss(out, x[:, :2])
        loss.backward()
        self.optimizer.step()
        self.total.add_(out.detach().sum(0)).mul_(torch.rand(2))
        x.mul_(2)
        return loss.detach()

    def told(self) -> Any:
        """All that a step may change."""
        state = self.optimizer.state_dict()["state"]
        kept = [*self.model.state_dict().values(), self.total, self.scale.detach()]
        kept += [value for each in state.values() for value in each.values()]
        kept += [p.grad for p in (*self.model.parameters(), self.scale) if p.grad is not None]
        versions = [p._version for p in (*self.model.parameters(), self.total)]
        return [t.tolist() for t in kept], versions, torch.get_rng_state().tolist()


def reads(world: World, x: Any) -> Any:
    loss = world.step(x)
    return loss if loss.item() > -1 else x


def reads_first(world: World, x: Any) -> Any:
    scale = float(x.sum())
    return world.step(x) * scale


def raises(world: World, x: Any) -> Any:
    world.step(x)
    return x @ x.view(-1)


def raises_in_between(world: World, x: Any) -> Any:
    world.total.add_(1)
    torch.rand(3)
    return world.step(x[:, :2])


def returns_what_it_made(world: World, x: Any) -> Any:
    return type("Made", (), {"loss": world.step(x)})()


def computes(world: World, x: Any) -> Any:
    return world.step(x)


def sorts(world: World, x: Any) -> Any:
    return world.step(x).sort().values


ENDS: list[Callable[[World, Any], Any]] = [
    reads, reads_first, raises, raises_in_between, returns_what_it_made, computes, sorts,
]  # fmt: skip


def outcome(world: World, step: Callable[[Any], Any]) -> list[Any]:
    said = []
    for n in range(3):
        x = (torch.arange(15.0) + n).view(5, 3) * 0.1
        torch.manual_seed(n)
        try:
            result = step(x)
            said.append(getattr(result, "loss", result).tolist())
        except RuntimeError as error:
            said.append(f"{type(error)} {error}")
        said.append((world.told(), x.tolist()))
    return said


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return bool(found == wanted or abs(found - wanted) <= 1e-5 * max(abs(wanted), 0.1))


@pytest.mark.parametrize("broken", [False, True], ids=["", "Numba fails"])
@pytest.mark.parametrize("end", ENDS)
def test_effects_are_those_of_one_call(monkeypatch: Any, end: Any, broken: bool) -> None:
    def load(*_: Any) -> Any:
        def step(*_: Any) -> int:
            raise NotImplementedError("Numba knows no such thing")

        return as_code(step)

    if broken:
        monkeypatch.setattr(build, "load", load)
    eager, compiled = World(), World()
    wanted = outcome(eager, lambda x: end(eager, x))
    step = torch.compile(lambda x: end(compiled, x))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = outcome(compiled, step)
    assert same(found, wanted)
    told = [str(each.message) for each in caught]
    assert len(set(told)) == len(told)
    assert all("test_effects.py" in each for each in told)
    if end not in (computes, sorts):
        assert compiled.heard == eager.heard


def test_with_fullgraph_nothing_is_done() -> None:
    world, untouched = World(), World()
    x = torch.ones(5, 3)
    state = random.getstate()
    with pytest.raises(TraceError, match=r"read by Python.*test_effects\.py"):
        torch.compile(lambda x: reads(world, x), fullgraph=True)(x)
    assert world.total.tolist() == untouched.total.tolist()
    assert x.tolist() == torch.ones(5, 3).tolist()
    for p, q in zip(world.model.parameters(), untouched.model.parameters(), strict=True):
        assert torch.equal(p, q)
        assert p.grad is None
    assert random.getstate() == state


class Slotted:
    __slots__ = ("tensor",)


def kept_places() -> dict[str, Callable[[], Any]]:
    """Ways to keep a tensor outside, each with what gives it to the function."""
    listed, local, slotted = [torch.zeros(3)], threading.local(), Slotted()
    local.tensor = slotted.tensor = torch.zeros(3)
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable")
    variable.set(torch.zeros(3))
    return {
        "list": lambda: listed[0],
        "thread": lambda: local.tensor,
        "slot": lambda: slotted.tensor,
        "context": variable.get,
    }


@pytest.mark.parametrize("write", [
    lambda target, x: target.copy_(x * 2),
    lambda target, x: target.fill_(7.0),
    lambda target, x: target.zero_(),
    lambda target, x: torch.mul(x, 2, out=target),
])  # fmt: skip
@pytest.mark.parametrize("place", kept_places())
@pytest.mark.filterwarnings("ignore:compile")
def test_what_is_only_written_to_is_written_to_by_each_call(
    place: str, write: Callable[[Any, Any], object]
) -> None:
    get = kept_places()[place]

    def function(x: Any) -> Any:
        write(get(), x)
        return x + 1

    compiled = torch.compile(function)
    for n in range(4):
        x = torch.full((3,), float(n))
        compiled(x)
        found = get().tolist()
        function(x)
        assert found == get().tolist()
        get().fill_(-1.0)


@pytest.mark.parametrize("to_none", [False, True])
def test_gradients_set_to_zero_are_those_of_the_last_call(to_none: bool) -> None:
    weight = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)

    def step(x: Any) -> None:
        optimizer.zero_grad(set_to_none=to_none)
        (weight * x).sum().backward()
        optimizer.step()

    compiled = torch.compile(step)
    for n in range(5):
        compiled(torch.full((2,), float(n)))
        assert weight.grad.tolist() == [n, n]
