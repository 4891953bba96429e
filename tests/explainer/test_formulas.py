"""The formulas that are shown, over the whole table of primitives."""

import contextlib
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests.explainer.calls import called_again, calls_of
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
)

TABLE = sorted(PRIMITIVES)


def derivatives(op):
    found = [derivative_formula(op, position) for position in range(len(op.inputs) or 1)]
    return [formula for formula in found if formula is not None]


@pytest.mark.parametrize("name", TABLE)
def test_every_primitive_has_formulas(name):
    op = PRIMITIVES[name]
    formulas = [forward_formula(op), *derivatives(op)]
    assert len(formulas) - 1 == (len(op.formulas) or (op.vjp is not None))
    for formula in formulas:
        assert formula is not None
        assert formula.right
        assert "lambda" not in formula.text
        ElementTree.fromstring(formula.mathml)


@pytest.mark.parametrize("name", TABLE)
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
@pytest.mark.parametrize("name", [name for name in TABLE if PRIMITIVES[name].formulas])
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
