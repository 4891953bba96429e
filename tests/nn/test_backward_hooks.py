"""Backward hooks of modules see PyTorch's gradients, and change them as there."""

from typing import Any, NamedTuple

import pytest

import tinygrad_mnist
from tests.nn.agreement import agree


def pair(e):
    """A module with two inputs, one of which it may not use, and two outputs."""

    class Pair(e.nn.Module):
        def forward(self, x, y, use=True):
            return x * 2, (x * y if use else x + 1)

    return Pair()


def noted(log, change=None):
    def hook(module, *gradients):
        log.append((type(module).__name__, *gradients))
        return None if change is None else change(*gradients)

    return hook


def one_input(e, log):
    layer = e.nn.Linear(2, 3)
    layer.register_full_backward_hook(noted(log))
    layer.register_full_backward_pre_hook(noted(log))
    x = e.ones(4, 2, requires_grad=True)
    layer(x).sum().backward()
    return x.grad, layer.weight.grad


def no_input_requires_gradients(e, log):
    layer = e.nn.Linear(2, 3)
    layer.register_full_backward_hook(noted(log))
    layer(e.ones(4, 2)).sum().backward()
    return layer.weight.grad


def replaced(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_pre_hook(noted(log, lambda go: (go[0] * 3,)))
    layer.register_full_backward_hook(noted(log, lambda gi, go: (gi[0] + 10,)))
    layer.register_full_backward_hook(noted(log, lambda gi, go: (gi[0] * 2,)))
    x = e.tensor([1.0, -1.0], requires_grad=True)
    layer(x).sum().backward()
    return x.grad


def two_inputs(e, log, *, second=True, use=True):
    module = pair(e)
    module.register_full_backward_hook(noted(log))
    x, y = e.ones(2, requires_grad=True), e.full((2,), 3.0, requires_grad=second)
    a, b = module(x, y, use=use)
    (a.sum() + 2 * b.sum()).backward()
    return x.grad, y.grad


def one_output_used(e, log):
    module = pair(e)
    module.register_full_backward_hook(noted(log))
    x, y = e.ones(2, requires_grad=True), e.ones(2, requires_grad=True)
    module(x, y)[1].sum().backward()
    return x.grad, y.grad


def nested(e, log):
    net = e.nn.Sequential(e.nn.Linear(2, 2), e.nn.Tanh(), e.nn.Linear(2, 1))
    for module in net.modules():
        module.register_full_backward_hook(noted(log))
    x = e.ones(1, 2, requires_grad=True)
    net(x).sum().backward()
    return x.grad


def other_argument(e, log):
    module = pair(e)
    module.register_full_backward_hook(noted(log))
    x = e.ones(2, requires_grad=True)
    module(x, 5.0)[1].sum().backward()
    return x.grad


def without_gradients(e, log):
    layer = e.nn.Linear(2, 3)
    layer.register_full_backward_hook(noted(log))
    with e.no_grad():
        return layer(e.ones(4, 2)).requires_grad


def wrong_number(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    layer(e.ones(2, requires_grad=True)).sum().backward()


def wrong_number_before(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_pre_hook(lambda m, go: ())
    layer(e.ones(2, requires_grad=True)).sum().backward()


def a_gradient_from_nowhere(e, log):
    layer = e.nn.Linear(2, 3)
    layer.register_full_backward_hook(lambda m, gi, go: (go[0],))
    layer(e.ones(2)).sum().backward()


def a_dict(e, log):
    module = type("D", (e.nn.Module,), {"forward": lambda self, x: {"y": x * 2}})()
    module.register_full_backward_hook(noted(log))
    module(e.ones(2, requires_grad=True))["y"].sum().backward()


def removed(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_hook(noted(log)).remove()
    layer(e.ones(2, requires_grad=True)).sum().backward()


def prepended(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_hook(lambda m, gi, go: log.append(1))
    layer.register_full_backward_hook(lambda m, gi, go: log.append(2), prepend=True)
    layer(e.ones(2, requires_grad=True)).sum().backward()


def name_of_the_record(e, log):
    layer = e.nn.ReLU()
    layer.register_full_backward_hook(noted(log))
    return layer(e.ones(2, requires_grad=True)).grad_fn.name()


CASES = [
    one_input,
    no_input_requires_gradients,
    replaced,
    two_inputs,
    one_output_used,
    nested,
    other_argument,
    without_gradients,
    wrong_number,
    wrong_number_before,
    a_gradient_from_nowhere,
    a_dict,
    removed,
    prepended,
    name_of_the_record,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_like_pytorch(case):
    def job(e):
        log = []
        return case(e, log), log

    agree(job, tolerance=1e-6)


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("use", [True, False])
def test_inputs_without_gradients(second, use):
    def job(e):
        log = []
        return two_inputs(e, log, second=second, use=use), log

    agree(job)


def test_the_older_kind_is_refused():
    with pytest.raises(NotImplementedError, match="use register_full_backward_hook"):
        tinygrad_mnist.nn.ReLU().register_backward_hook(print)


class Pair(NamedTuple):
    """What a module may return instead of a tuple."""

    first: Any
    second: Any


def test_a_named_tuple_stays_one():
    class Halves(tinygrad_mnist.nn.Module):
        def forward(self, x):
            return Pair(x * 1, x * 2)

    module = Halves()
    module.register_full_backward_hook(lambda module, inputs, outputs: None)
    result = module(tinygrad_mnist.ones(2, requires_grad=True))
    assert type(result) is Pair
    assert result.second.tolist() == [2, 2]
