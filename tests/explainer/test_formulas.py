"""The formulas that are shown, over the whole table of primitives."""

import contextlib
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests.explainer.calls import called_again, calls_of
from tests.parts import in_parts
from tinygrad_mnist.engine import backward_pass
from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.engine.unbroadcast import unbroadcast_array
from tinygrad_mnist.explainer.formulas import (
    Value,
    bound,
    derivative_formula,
    evaluate,
    forward_formula,
    of_call,
    table,
)
from tinygrad_mnist.ops.elementwise import elementwise

table()  # loads every operation
TABLE = sorted(PRIMITIVES)


def derivatives(op):
    found = [derivative_formula(op, position) for position in range(len(op.inputs) or 1)]
    return [formula for formula in found if formula is not None]


@in_parts("name", TABLE)
def test_every_primitive_has_formulas(name):
    op = PRIMITIVES[name]
    formulas = [forward_formula(op), *derivatives(op)]
    assert len(formulas) - 1 == (len(op.formulas) or (op.vjp is not None))
    for formula in formulas:
        assert formula is not None
        assert formula.right
        assert "lambda" not in formula.text
        ElementTree.fromstring(formula.mathml)


@in_parts("name", TABLE)
def test_what_is_shown_is_what_is_computed(name):
    for op, inputs, attributes, output in calls_of(name):
        values = {name: Value(each) for name, each in zip(op.inputs, inputs, strict=False)}
        formula, arrays = of_call(forward_formula(op), values, attributes)
        if formula.tree.algebraic and output.dtype.kind == "f":
            found = evaluate(formula.tree, arrays)
            np.testing.assert_allclose(
                np.broadcast_to(found, output.shape), output, rtol=1e-4, atol=1e-5
            )


@pytest.mark.filterwarnings("ignore")
@in_parts("name", [name for name in TABLE if PRIMITIVES[name].formulas])
def test_derivatives_are_the_engines_own(name):
    for op, inputs, attributes, output in calls_of(name):
        if output.dtype.kind == "f":
            compare_derivatives(op, inputs, attributes)


def compare_derivatives(op, inputs, attributes):
    out = called_again(op, inputs, attributes)
    record = out._record
    if record is None:
        return
    g = np.random.default_rng(0).uniform(-1, 1, out._array.shape).astype(out._array.dtype)
    values = {name: Value(each) for name, each in zip(op.inputs, inputs, strict=not op.variadic)}
    values = {"g": Value(g), "out": Value(out._array)} | values
    with contextlib.suppress(NotImplementedError, RuntimeError):  # PyTorch has none either
        for position, gradient, _ in backward_pass.vjp(record, g, None):
            shape = record.inputs[position].shape
            formula = derivative_formula(op, position)
            data = bound(formula, values, attributes, lambda array: 0, shape, position)
            ElementTree.fromstring(data["mathml"])
            now, arrays = of_call(formula, values, attributes, shape, position)
            found = np.asarray(evaluate(now.tree, arrays))
            assert data["tree"]["shape"] == list(found.shape)
            have = np.broadcast_to(unbroadcast_array(found, shape), shape)
            np.testing.assert_allclose(have, gradient, rtol=2e-4, atol=1e-5)


def test_the_table_of_the_documentation():
    rows = table()
    assert {row.name for row in rows} == set(PRIMITIVES) - {"never_computed"}
    mul = next(row for row in rows if row.name == "mul")
    assert (mul.formula.right, mul.grad_fn, mul.subject) == (
        "x · y",
        "MulBackward0",
        "ops/arithmetic",
    )
    assert [formula.text for formula in mul.derivatives] == ["∂L/∂x = g · y", "∂L/∂y = g · x"]


SHOWN = {
    "log_softmax": "∂L/∂x = g − e^out · Σ g",
    "softmax": "∂L/∂x = out · (g − Σ (g · out))",
    "relu": "∂L/∂x = g where out > 0, 0 elsewhere",
    "mm": "∂L/∂X = g Yᵀ",
    "linear": "∂L/∂x = g W",
    "mean": "∂L/∂x = g / n",
    "acos": "∂L/∂x = g · (−1 / √(1 − x²))",
    "erf": "∂L/∂x = g · (2 / √π) · e^(−x²)",
    "maximum": "∂L/∂x = 0 where x < y, g / 2 where x = y, g elsewhere",
    "hardsigmoid": "∂L/∂x = g · (1/6) where x > −3 and x < 3, 0 elsewhere",
    "conv2d": "∂L/∂x = Σ of g times w, put back under the window",
    "copy_slices": "∂L/∂x = g, with 0 where the view lies",
    "log10": "∂L/∂x = g / (x · ln 10)",
    "cat": "∂L/∂x = g where this x is",
}


@in_parts("name", list(SHOWN))
def test_formulas_as_they_are_read(name):
    assert derivative_formula(PRIMITIVES[name], 0).text == SHOWN[name]


def test_a_number_in_a_call_is_shown_as_itself():
    x = np.array([3.0], np.float32)
    values = {"g": Value(x, 0), "input": Value(x, 1), "exponent": Value(2)}
    square = derivative_formula(PRIMITIVES["pow"], 0)
    data = bound(square, values, {}, lambda array: None, (1,))
    assert data["text"] == "∂L/∂x = g · 2 · x"
    assert data["tree"]["b"]["a"] == {"k": "number", "shape": [], "value": 2}


def test_reduced_dimensions_are_there_again_and_calls_are_computed():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    mean = derivative_formula(PRIMITIVES["mean"], 0)
    values = {"g": Value(x[0, :2], 0)}
    tree = bound(mean, values, {"dim": (1,), "keepdim": False}, lambda a: None, (2, 3))["tree"]
    assert tree["a"]["shape"] == [2, 1]
    assert tree["b"] == {"k": "number", "shape": [], "value": 3}
    kept = []
    gather = derivative_formula(PRIMITIVES["index"], 0)
    key = (np.array([1, 1]),)
    tree = bound(gather, {"g": Value(x, 0)}, {"key": key}, kept.append, (3, 3))["tree"]
    np.testing.assert_array_equal(kept[0], [[0, 0, 0], [3, 5, 7], [0, 0, 0]])
    assert tree["says"] == "zeros, with g added at key, as often as an element is named"


def test_an_operation_of_ones_own():
    cube = elementwise(
        "own_cube", "x³", lambda input: input**3, input=lambda g, input: g * 3 * input**2
    )
    try:
        assert forward_formula(cube).text == "out = x³"
        assert derivative_formula(cube, 0).text == "∂L/∂x = g · 3 · x²"
    finally:
        del PRIMITIVES["own_cube"]


def test_a_formula_without_source_is_called():
    made = {}
    exec("own = elementwise('own_twice', '2 · x', lambda input: 2 * input, input=lambda g: 2 * g)",
         {"elementwise": elementwise}, made)  # fmt: skip
    try:
        formula = derivative_formula(made["own"], 0)
        assert formula.right == "a formula whose source is not at hand"
        assert evaluate(formula.tree, {"g": np.ones(2)}).tolist() == [2, 2]
    finally:
        del PRIMITIVES["own_twice"]
