"""Gradients of a pass held against PyTorch and central differences: right ones, and wrong ones."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.explainer.calls import calls_of
from tests.parts import in_parts
from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.explainer.checking.against import against_differences, against_pytorch
from tinygrad_mnist.tools.counterparts import counterpart

F = torch.nn.functional
NAMES = sorted(
    name
    for name, op in PRIMITIVES.items()
    if op.formulas and not {"fill", "generator"} & op.attributes
)
NO_DERIVATIVE = {
    "binomial", "ctc_loss_backward", "dirichlet_grad", "floor_divide", "found", "heaviside",
    "igamma", "igammac", "number_remainder", "special_zeta", "standard_gamma_grad",
}  # fmt: skip
"""What has none by some of its inputs, in PyTorch either."""
WITH_GATES = {"recurrent"}
"""Whose result holds, beside the states that are read, gates that only the backward pass reads."""
CANCELLING = {"normalised", "normalised_backward"}
"""Of gradients that are all alike, as here, nothing passes them but rounding."""


def test_how_many_have_a_counterpart():
    without = {name for name in NAMES if counterpart(PRIMITIVES[name]) is None}
    chosen_signs = {"eigh_factors", "qr_factors", "svd_factors"}
    not_by_all = {"igamma", "igammac", "special_zeta", "determinant_sign"}
    others = {"cofactors", "found", "number_remainder", "window_spread"}
    imported_later = {"ctc_loss_backward", "dirichlet_grad", "recurrent", "standard_gamma_grad"}
    assert without - imported_later == chosen_signs | not_by_all | others
    assert len(without) < 0.1 * len(NAMES)


def checked(function, *inputs):
    explanation = torch.explain(function, *inputs)
    against_pytorch(explanation.found)
    against_differences(explanation.found)
    return explanation


def wrong(explanation):
    """By name or operation, the checks that found a gradient wrong."""
    found = []
    for node in explanation.nodes:
        if node.gradient is not None:
            found += [(node.name or node.op, "PyTorch")] * (not node.gradient.pytorch.ok)
            slopes = node.gradient.differences
            found += [(node.name or node.op, "differences")] * (
                slopes is not None and not slopes.ok
            )
    return found


def made(op, inputs):
    """The inputs as tensors, which require gradients unless PyTorch has no formula for them."""
    given = []
    for name, each in zip(op.inputs or [""] * len(inputs), inputs, strict=False):
        formula = op.formulas.get(name)
        none = formula is not None and (formula.function.__doc__ or "").startswith("none:")
        is_array = isinstance(each, np.ndarray)
        given.append(
            torch.tensor(each, requires_grad=each.dtype.kind == "f" and not none)
            if is_array
            else each
        )
    return given


@pytest.mark.filterwarnings("ignore")
@in_parts("name", [n for n in NAMES if n not in NO_DERIVATIVE | WITH_GATES | CANCELLING])
def test_what_the_engine_gives_is_right(name):
    for op, inputs, attributes, output in calls_of(name):
        if output.dtype.kind != "f":
            continue
        given = made(op, inputs)
        if op(*given, **attributes)._record is None or not output.size:
            continue
        explanation = checked(lambda: op(*given, **attributes) * 0.5)  # noqa: B023
        assert wrong(explanation) == [], [node.gradient for node in explanation.nodes]


def weighted(result):
    """The result times numbers of every size, so that no sum of its gradient is zero by chance."""
    numbers = np.random.default_rng(0).uniform(0.5, 1.5, result.shape)
    return result * torch.tensor(numbers).to(result.dtype)


def calls_with_slopes(name):
    """The calls of a primitive through which some gradient that is not zero goes."""
    for op, inputs, attributes, output in calls_of(name):
        given = made(op, inputs)
        if output.dtype.kind == "f" and np.isfinite(output).all() and output.size:
            result = weighted(op(*given, **attributes))
            leaves = [each for each in given if getattr(each, "requires_grad", False)]
            if result._record is not None:
                found = torch.autograd.grad(result.sum(), leaves, allow_unused=True)
                if any(g is not None and (g != 0).any() for g in found):
                    yield op, given, attributes


@pytest.mark.filterwarnings("ignore")
@in_parts("name", [name for name in NAMES if name not in NO_DERIVATIVE])
def test_a_wrong_derivative_is_found(name, monkeypatch):
    call = next(calls_with_slopes(name), None)
    if call is None:
        return  # its gradients are zero
    op, given, attributes = call
    for formula in op.formulas.values():
        right = formula.function
        monkeypatch.setattr(formula, "function", lambda *a, r=right, **k: r(*a, **k) * 1.01)
    found = {by for _, by in wrong(checked(lambda: weighted(op(*given, **attributes))))}
    monkeypatch.undo()
    assert "differences" in found or name in (
        "cholesky_solved",
        "ctc_loss",
    )  # see explainer/checking/again.py
    assert "PyTorch" in found or counterpart(op) is None


def test_a_kink_is_told():
    explanation = checked(lambda x: x.relu().sum(), np.array([0.0, 1.0, -1.0]))
    (x,) = [node for node in explanation.nodes if node.is_leaf]
    assert x.gradient.differences.ok
    assert x.gradient.differences.note == "at 1 the slopes to both sides differ"


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


def test_a_function_of_ones_own_has_no_counterpart():
    explanation = checked(lambda x: Cube.apply(x.exp()).sum(), np.array([0.0, 1.0]))
    x, exp, cube, _ = [node.gradient for node in explanation.nodes]
    assert wrong(explanation) == []
    assert x.pytorch.note == exp.pytorch.note
    assert "no counterpart of Cube" in x.pytorch.note
    assert cube.pytorch.note is None
    assert x.differences.elements == 2


def test_random_numbers_are_the_recorded_ones():
    torch.manual_seed(0)
    explanation = checked(lambda x: (F.dropout(x, 0.5) * x).sum(), np.arange(1.0, 9.0))
    assert wrong(explanation) == []
    assert all(node.gradient.differences for node in explanation.nodes if node.gradient)


def test_a_long_loop_and_several_outputs():
    def loop(x, w):
        a, b = x.split(2)
        for _ in range(30):
            a, b = (a * w + b).tanh(), a
        return (a * b).sum()

    explanation = checked(loop, np.array([0.5, -1.0, 2.0, 1.5]), np.array([0.7, -0.3]))
    assert wrong(explanation) == []
    assert all(n.gradient.differences for n in explanation.nodes if n.gradient and n.op != "split")


def test_a_loop_in_which_what_uses_a_node_uses_each_other():
    def loop(x):
        for _ in range(12):
            x = x + (x - x.mean(1, keepdim=True)) * x.exp().sum(1, keepdim=True).log().sin()
        return x.sum()

    explanation = torch.explain(loop, np.linspace(-1, 1, 24).reshape(4, 6))
    against_pytorch(explanation.found)
    against_differences(explanation.found, runs=200)
    assert wrong(explanation) == []
    assert any("through what uses it" in (node.gradient.differences.note or "")
               for node in explanation.nodes if node.gradient)  # fmt: skip


def test_a_gradient_that_is_nan_where_there_is_a_slope():
    explanation = checked(lambda x: torch.where(x > 0, x.sqrt(), 0.0).sum(), np.array([-1.0, 4.0]))
    assert wrong(explanation) == [("x", "differences")]
    (x,) = [node for node in explanation.nodes if node.name == "x"]
    assert x.gradient.differences.note == "at 1 the gradient is not finite, though there is a slope"


SIZES = [
    (1e20, 0.5, -2.0), (-1e20, -1e20, 0.3), (1e-12, 1.0, 3.0), (1e-12, 1e12, 1.0), (0.0, 1e20, 0.7),
]  # fmt: skip
MIXED = {
    "tanh": lambda x: x.tanh(),
    "bump": lambda x: x / (1 + x * x),
    "softmax": lambda x: (x.softmax(0) * torch.tensor([3.0, 1.0, 2.0])),
    "reciprocal": lambda x: 1 / (x + 1e-13),
    "exp": lambda x: (-x.abs()).exp(),
    "masked": lambda x: F.log_softmax(x.masked_fill(x > 1, float("-1e20")), 0) * x.sigmoid(),
    "square": lambda x: x * x,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MIXED)
@in_parts("numbers", SIZES)
def test_huge_numbers_beside_small_ones_are_no_fault(name, numbers):
    function = MIXED[name]
    for kind in (np.float32, np.float64):
        for values in (numbers, np.resize(numbers, 18)[: None if name != "softmax" else 3]):
            given = np.asarray(values, kind)
            explanation = checked(lambda x: function(x) * 2, given)
            assert [by for by in wrong(explanation) if by[1] == "differences"] == []


def test_no_slope_is_told_where_the_result_is_no_number():
    explanation = checked(lambda w: (w * w.log()).sum(), np.array([1.0, -1.0, 0.0]))
    assert wrong(explanation) == []
    (w,) = [node.gradient.differences for node in explanation.nodes if node.is_leaf]
    assert (w.elements, w.note) == (0, "at 3 there is no slope: not all numbers are finite")
