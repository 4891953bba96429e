"""Whatever happens to an optimiser or a module between two calls of a compiled step is followed."""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tinygrad_mnist as torch
from tests.compiler import changes
from tinygrad_mnist import nn
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.nn.modules.hooks import Calling
from tinygrad_mnist.optim import Optimizer
from tinygrad_mnist.optim.hooks import register_optimizer_step_pre_hook

pytestmark = pytest.mark.usefixtures("plain")


def parameter(*numbers: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(numbers or (1.0, 2.0)))


def training(compile: Any, optimizer: Any, *params: Any) -> Any:
    """A step that moves parameters, and gives the loss and where they are."""

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = sum((p * p * x).sum() for p in params)
        loss.backward()
        optimizer.step()
        return loss, [p.detach().clone() for p in params]

    return compile(step)


def group(optimizer: Any) -> Any:
    return optimizer.param_groups[0]


def tripled(p: Any) -> None:
    p.grad.mul_(3)


def load(optimizer: Any, p: Any) -> None:
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.7
    state["state"][0]["momentum_buffer"] = torch.ones(2)
    optimizer.load_state_dict(state)


OF_AN_OPTIMISER: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add_param_group": lambda o, p, q: o.add_param_group({"params": [q], "lr": 0.5}),
    "lr": lambda o, p, q: group(o).update(lr=0.7),
    "lr, an int": lambda o, p, q: group(o).update(lr=1),
    "momentum": lambda o, p, q: group(o).update(momentum=0.5),
    "no momentum": lambda o, p, q: group(o).update(momentum=0),
    "weight_decay": lambda o, p, q: group(o).update(weight_decay=0.1),
    "nesterov": lambda o, p, q: group(o).update(nesterov=True),
    "maximize": lambda o, p, q: group(o).update(maximize=True),
    "params appended": lambda o, p, q: group(o)["params"].append(q),
    "params replaced": lambda o, p, q: group(o).update(params=[q]),
    "one of params set": lambda o, p, q: group(o)["params"].__setitem__(0, q),
    "params cleared": lambda o, p, q: group(o)["params"].clear(),
    "groups replaced": lambda o, p, q: setattr(o, "param_groups", [{**group(o), "lr": 0.7}]),
    "a group set": lambda o, p, q: o.param_groups.__setitem__(0, {**group(o), "lr": 0.7}),
    "groups cleared": lambda o, p, q: o.param_groups.clear(),
    "state cleared": lambda o, p, q: o.state.clear(),
    "state replaced": lambda o, p, q: setattr(o, "state", collections.defaultdict(dict)),
    "state loaded": lambda o, p, q: load(o, p),
    "a buffer replaced": lambda o, p, q: o.state[p].update(momentum_buffer=torch.ones(2)),
    "a buffer filled": lambda o, p, q: o.state[p]["momentum_buffer"].fill_(1.0),
    "no buffer": lambda o, p, q: o.state[p].update(momentum_buffer=None),
    "requires_grad_": lambda o, p, q: p.requires_grad_(False),
    "a gradient": lambda o, p, q: (setattr(q, "grad", torch.ones(2)), group(o).update(params=[q])),
    "data": lambda o, p, q: setattr(p, "data", torch.tensor([5.0, 6.0])),
    "data of another type": lambda o, p, q: setattr(p, "data", torch.ones(2).double()),
    "in place": lambda o, p, q: p.data.mul_(2),
    "a hook": lambda o, p, q: p.register_hook(lambda grad: grad * 10),
    "a hook after": lambda o, p, q: p.register_post_accumulate_grad_hook(tripled),
    "a hook before step": lambda o, p, q: o.register_step_pre_hook(lambda *_: tripled(p)),
    "a hook after step": lambda o, p, q: o.register_step_post_hook(lambda *_: p.data.mul_(3)),
    "step patched": lambda o, p, q: setattr(o, "step", lambda: None),
    "_update patched": lambda o, p, q: setattr(o, "_update", lambda p, grad, group: p.add_(grad)),
    "zero_grad patched": lambda o, p, q: setattr(o, "zero_grad", lambda: None),
}


@pytest.mark.parametrize("change", OF_AN_OPTIMISER.values(), ids=OF_AN_OPTIMISER)
def test_a_change_of_an_optimiser_is_followed(change: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        p, q = parameter(), parameter(3.0, 4.0)
        optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9)
        step = training(compile, optimizer, p, q)
        yield step
        change(optimizer, p, q)
        yield step

    changes.check(case)


def test_changes_of_an_adaptive_optimiser_are_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        p = parameter()
        optimizer = torch.optim.Adam([p], lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        step = training(compile, optimizer, p)
        yield step
        schedule.step()
        yield step
        group(optimizer)["betas"] = (0.5, 0.5)
        yield step
        group(optimizer)["eps"] = 0.5
        yield step
        group(optimizer)["amsgrad"] = True
        optimizer.state[p]["max_exp_avg_sq"] = torch.zeros(2)
        yield step
        optimizer.state[p]["step"] = torch.tensor(100.0)
        yield step
        optimizer.state[p]["step"].fill_(7.0)
        yield step
        optimizer.state.pop(p)
        yield step

    changes.check(case)


def test_changes_of_a_users_optimiser_and_of_classes_are_followed(monkeypatch: Any) -> None:
    class Signs(torch.optim.SGD):
        scale = 1.0

        def _update(self, param: Any, grad: Any, group: Any) -> None:
            param.sub_(grad.sign() * self.scale)

    def case(compile: Any) -> Iterator[Any]:
        p = parameter()
        optimizer = Signs([p], lr=0.1)
        optimizer.extra = [1.0]
        step = training(compile, optimizer, p)
        settings = compile(lambda x: x * optimizer.extra[0] * optimizer.defaults["lr"])
        both = lambda x: (step(x), settings(x))  # noqa: E731
        with monkeypatch.context() as patch:
            yield both
            patch.setattr(Signs, "scale", 3.0)
            yield both
            patch.setattr(Signs, "_update", lambda self, param, grad, group: param.add_(grad))
            yield both
            patch.setattr(Optimizer, "zero_grad", lambda self: None)
            yield both
            handle = register_optimizer_step_pre_hook(lambda *_: tripled(p))
            yield both
            handle.remove()
            optimizer.extra[0] = 4.0
            optimizer.defaults["lr"] = 0.3
            yield both

    changes.check(case)


def test_another_optimiser_in_the_same_place_is_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        p = parameter()
        box = types.SimpleNamespace(optimizer=torch.optim.SGD([p], lr=0.1))

        def step(x: Any) -> Any:
            p.grad = None
            (p * x).sum().backward()
            box.optimizer.step()
            return p.detach().clone()

        compiled = compile(step)
        yield compiled
        box.optimizer = torch.optim.SGD([p], lr=0.4)
        yield compiled

    changes.check(case)


class Inner(nn.Module):
    """A layer with everything that a user may keep in a module."""

    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([parameter()])
        self.register_buffer("shift", torch.ones(2))
        self.scale, self._private, self._table, self._set = 1.0, [1.0], {"a": 1.0}, {1.0}
        self.deep = types.SimpleNamespace(inside=[{"a": 1.0}])
        self.activation = F.relu

    def forward(self, x: Any) -> Any:
        x = self.activation(x) * self.scale * self._private[0] * self._table["a"] * self.factor
        x = x * sum(self._set) * self.deep.inside[0]["a"]
        return self.helper(x * self.weights[0]) + self.shift

    def helper(self, x: Any) -> Any:
        return x * 3


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.norm = nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2)
        self.several = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.named = nn.ModuleDict({"a": nn.Sigmoid()})
        self.inner = Inner()

    def forward(self, x: Any) -> Any:
        x = self.inner(self.norm(self.drop(self.several(self.first(x)))))
        for each in self.named.values():
            x = each(x)
        return x


class OtherInner(Inner):
    def helper(self, x: Any) -> Any:
        return x * 5


def doubled(module: Any, args: Any, output: Any = None) -> Any:
    return (args[0] * 2,) if output is None else output * 2


OF_A_MODULE: dict[str, Callable[[Any], Any]] = {
    "eval": lambda n: n.eval(),
    "eval of one": lambda n: n.drop.eval(),
    "requires_grad_ of one": lambda n: n.first.weight.requires_grad_(False),
    "a child": lambda n: setattr(n, "first", nn.Linear(2, 2)),
    "no child": lambda n: setattr(n, "drop", nn.Identity()),
    "Sequential, set": lambda n: n.several.__setitem__(0, nn.Linear(2, 2)),
    "Sequential, appended": lambda n: n.several.append(nn.Tanh()),
    "Sequential, inserted": lambda n: n.several.insert(0, nn.Tanh()),
    "Sequential, deleted": lambda n: n.several.__delitem__(1),
    "ModuleDict, set": lambda n: n.named.update({"b": nn.Tanh()}),
    "ModuleDict, replaced": lambda n: n.named.update({"a": nn.Tanh()}),
    "ParameterList, set": lambda n: n.inner.weights.__setitem__(0, parameter(5.0, 6.0)),
    "a parameter": lambda n: setattr(n.first, "weight", nn.Parameter(torch.ones(2, 2))),
    "no bias": lambda n: setattr(n.first, "bias", None),
    "register_parameter": lambda n: n.first.register_parameter("bias", None),
    "load_state_dict": lambda n: n.load_state_dict({k: v + 1 for k, v in n.state_dict().items()}),
    "a buffer": lambda n: setattr(n.inner, "shift", torch.tensor([5.0, 6.0])),
    "a buffer filled": lambda n: n.inner.shift.fill_(7.0),
    "data of a buffer": lambda n: setattr(n.inner.shift, "data", torch.tensor([5.0, 6.0])),
    "no statistics": lambda n: [setattr(n.norm, f"running_{k}", None) for k in ("mean", "var")],
    "eps": lambda n: setattr(n.norm, "eps", 0.5),
    "p": lambda n: setattr(n.drop, "p", 0.0),
    "an attribute": lambda n: setattr(n.inner, "scale", 4.0),
    "an attribute, now int": lambda n: setattr(n.inner, "scale", 4),
    "a private list": lambda n: n.inner._private.__setitem__(0, 4.0),
    "a private list, replaced": lambda n: setattr(n.inner, "_private", [4.0]),
    "a private dict": lambda n: n.inner._table.update(a=4.0),
    "a private dict, replaced": lambda n: setattr(n.inner, "_table", {"a": 4.0}),
    "a private set": lambda n: n.inner._set.add(3.0),
    "a private set, replaced": lambda n: setattr(n.inner, "_set", {3.0}),
    "deep inside": lambda n: n.inner.deep.inside[0].update(a=4.0),
    "a function": lambda n: setattr(n.inner, "activation", F.sigmoid),
    "a class's attribute hidden": lambda n: setattr(n.inner, "factor", 4.0),
    "forward": lambda n: setattr(n.inner, "forward", lambda x: x * 5),
    "a method": lambda n: setattr(n.inner, "helper", lambda x: x * 5),
    "the class": lambda n: setattr(n.inner, "__class__", OtherInner),
    "a layer's class": lambda n: setattr(n.several[1], "__class__", nn.Tanh),
    "a hook": lambda n: n.first.register_forward_hook(doubled),
    "a hook before": lambda n: n.register_forward_pre_hook(doubled),
    "a backward hook": lambda n: n.inner.register_full_backward_hook(lambda m, i, o: (i[0] * 2,)),
    "a backward pre-hook": lambda n: n.inner.register_full_backward_pre_hook(doubled),
    "types": lambda n: n.first.double().float(),
    "strides": lambda n: setattr(n.first.weight, "data", n.first.weight.data.t()),
}


def forward_and_gradients(net: Any, call: Any, x: Any) -> Any:
    y = call(torch.stack([x, x * 2, -x]))
    y.sum().backward()
    gradients = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    net.zero_grad()
    return y.detach(), gradients


@pytest.mark.usefixtures("replayed")
@pytest.mark.parametrize("change", OF_A_MODULE.values(), ids=OF_A_MODULE)
def test_a_change_of_a_module_is_followed(change: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        net = Net()
        step = compile(lambda x: forward_and_gradients(net, net, x))
        yield step
        change(net)
        yield step

    changes.check(case)


@pytest.mark.usefixtures("replayed")
def test_a_compiled_module_follows_changes_of_the_module() -> None:
    def case(compile: Any) -> Iterator[Any]:
        net = Net()
        compiled = torch.compile(net) if compile is torch.compile else net
        step = lambda x: forward_and_gradients(net, compiled, x)  # noqa: E731
        yield step
        net.inner.scale = 4.0
        yield step
        net.inner.forward = lambda x: x * 5
        yield step
        net.first.weight.requires_grad_(False)
        yield step
        net.several[1] = nn.Tanh()
        yield step
        net.eval()
        yield step

    changes.check(case)


PATCHES = [
    (Inner, "forward"), (Inner, "helper"), (nn.Linear, "forward"), (nn.ReLU, "forward"),
    (nn.Sequential, "forward"), (Calling, "_call_impl"),
]  # fmt: skip


@pytest.mark.usefixtures("replayed")
def test_patched_classes_of_modules_are_followed(monkeypatch: Any) -> None:
    def case(compile: Any) -> Iterator[Any]:
        net = Net().eval()
        step = compile(lambda x: net(torch.stack([x, x * 2, -x])).detach())
        yield step
        for owner, name in [*PATCHES, (Inner, "factor")]:
            with monkeypatch.context() as patch:
                patched = 7.0 if name == "factor" else lambda self, x: x * 7
                patch.setattr(owner, name, patched)
                yield step
        yield step

    changes.check(case)


def test_a_frozen_parameter_is_read_and_followed() -> None:
    def case(compile: Any) -> Iterator[Any]:
        p = parameter()
        product = compile(lambda x: (x * p, x * 2 if p.requires_grad else x))
        p.requires_grad_(False)
        yield product
        p.fill_(5.0)
        yield product
        p.requires_grad_(True)
        yield product
        p.requires_grad_(False)
        yield product

    changes.check(case)
