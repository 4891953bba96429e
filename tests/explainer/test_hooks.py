"""Gradients that hooks change: held against PyTorch with the change, and against no slope."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.explainer.checking.against import against_differences, against_pytorch
from tinygrad_mnist.nn import Linear, Parameter

CHANGES = {
    "scaled": lambda g: g * 10,
    "cut off": lambda g: g.clamp(-0.01, 0.01),
    "zero": torch.zeros_like,
    "as it is": lambda g: None,
}


def on_result(y, change):
    y.register_hook(change)


def before_its_derivative(y, change):
    y.grad_fn.register_prehook(lambda given: None if (g := change(given[0])) is None else (g,))


def after_its_derivative(y, change):
    def changed(found, given):
        parts = [None if g is None else change(g) for g in found]
        return None if None in (parts[0], *parts) else tuple(parts)

    y.grad_fn.register_hook(changed)


PLACES = {
    "leaf": ("w", on_result, "w"),
    "middle": ("y", on_result, "tanh"),
    "end": ("loss", on_result, "add"),
    "before": ("y", before_its_derivative, "tanh"),
    "after": ("z", after_its_derivative, "tanh"),
    "used twice": ("x", on_result, "x"),
}


def explained(where, register, change):
    x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    w = Parameter(torch.tensor([1.5, 0.3, -0.7]))

    def program():
        tensors = {"x": x, "w": w, "y": (x * w).tanh()}
        tensors["z"] = tensors["y"].exp()
        tensors["loss"] = (tensors["z"] * tensors["y"]).sum() + (x * x).sum()
        register(tensors[where], change)
        tensors["loss"].backward()

    explanation = torch.explain(program)
    against_pytorch(explanation.found)
    against_differences(explanation.found)
    return explanation


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_hook_changes_is_no_fault(place, change):
    where, register, changed = PLACES[place]
    explanation = explained(where, register, CHANGES[change])
    told = change != "as it is"
    assert any("hook changed" in note for note in explanation.notes) == told
    for node in explanation.nodes:
        if node.gradient is not None:
            by_pytorch, by_slopes = node.gradient.pytorch, node.gradient.differences
            assert by_pytorch.ok, (node.name, node.op)
            assert by_slopes.ok, (node.name, node.op)
            is_it = told and (node.op or node.name) == changed
            assert by_pytorch.note == ("before a hook changed it" if is_it else None)
            assert (by_slopes.elements == 0) == is_it
            assert not is_it or by_slopes.note == "a hook changed it: no slope"


@pytest.mark.parametrize("op", ["mul", "tanh", "exp"])
def test_a_wrong_derivative_beside_a_hook_is_found(op, monkeypatch):
    for formula in PRIMITIVES[op].formulas.values():
        right = formula.function
        monkeypatch.setattr(formula, "function", lambda *a, r=right, **k: r(*a, **k) * 1.01)
    explanation = explained("y", on_result, lambda g: g * 10)
    found = [node.gradient for node in explanation.nodes if node.gradient is not None]
    assert not all(gradient.pytorch.ok for gradient in found)
    assert op == "exp" or not all(gradient.differences.ok for gradient in found)


def test_hooks_of_modules_leave_the_other_checks():
    layer = Linear(3, 2)
    layer.register_full_backward_hook(lambda module, given, came: tuple([3 * g for g in given]))
    explanation = torch.explain(lambda x: layer(x.exp()).sum(), np.array([1.0, 2.0, 3.0], "f"))
    against_pytorch(explanation.found)
    leaves = {node.name: node.gradient for node in explanation.nodes if node.is_leaf}
    assert [leaves[name].pytorch.ok for name in ("x", "layer.weight", "layer.bias")] == [True] * 3


def test_a_pass_from_several_results():
    def program(x):
        y = x.exp().sum()
        torch.autograd.backward([y, y * 2, y])

    explanation = torch.explain(program, np.array([1.0, 2.0]))
    against_pytorch(explanation.found)
    against_differences(explanation.found)
    gradients = [node.gradient for node in explanation.nodes if node.gradient]
    assert [(g.pytorch.ok, g.differences.ok) for g in gradients] == [(True, True)] * 4
    np.testing.assert_array_equal(gradients[0].array, 4 * np.exp([1.0, 2.0]))
