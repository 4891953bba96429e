"""Operations replayed in PyTorch: with numbers among their inputs, and those that it refuses."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.explainer.calls import calls_of
from tests.explainer.test_checks import NAMES, NO_DERIVATIVE
from tests.parts import in_parts
from tinygrad_mnist.explainer.checking.against import against_pytorch
from tinygrad_mnist.tools import replay
from tinygrad_mnist.tools.counterparts import counterpart
from tinygrad_mnist.tools.replay import At, Entry, gradients

PLACES = {"dim", "index", "key", "steps"}
"""Attributes by which an operation is about the places of its inputs' elements."""


NEVER_NUMBERS = {"binary_cross_entropy_backward", "normalised_backward", "remainder"}
"""Of the first two all inputs have one shape; a number's remainder is a primitive of its own."""


def with_numbers(op, inputs, attributes, shape):
    """The call, and the calls that have a number in place of an array, if the operation runs so."""
    yield inputs
    for position, array in enumerate(inputs):
        if isinstance(array, np.ndarray) and array.size and not PLACES & attributes.keys():
            number = array.reshape(-1)[0]
            for each in (number.item(), np.asarray(number)):
                given = (*inputs[:position], each, *inputs[position + 1 :])
                try:
                    same = op.compute(op.promoted(given), attributes).shape == shape
                except Exception:  # whatever a body does with a number that it never gets
                    continue
                if same:
                    yield given


@pytest.mark.filterwarnings("ignore")
@in_parts("name", [name for name in NAMES if name not in NO_DERIVATIVE | NEVER_NUMBERS])
def test_numbers_are_inputs_like_any_other(name):
    for op, inputs, attributes, result in calls_of(name):
        if counterpart(op) is None:
            continue
        for given in with_numbers(op, inputs, attributes, result.shape):
            with np.errstate(all="ignore"):
                output = op.compute(op.promoted(given), attributes)
            arrays = [at for at, each in enumerate(given) if isinstance(each, np.ndarray)]
            ends = [At(arrays.index(at)) if at in arrays else given[at] for at in range(len(given))]
            leaves = [Entry(None, (), {}, given[at]) for at in arrays]
            entries = [*leaves, Entry(op, tuple(ends), attributes, output)]
            found = gradients(entries, {len(leaves): np.ones_like(output)})
            assert found.behind == [()] * len(entries), given


def not_implemented(gradient):
    raise NotImplementedError("derivative for exp is not implemented")


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_what_pytorch_refuses_leaves_the_other_checks(where, monkeypatch):
    def refusing(op):
        call = counterpart(op)
        if op.name != "exp":
            return call

        def refuse(pytorch, inputs, attributes):
            if where == "forward":
                raise TypeError("invalid combination of arguments")
            result = call(pytorch, inputs, attributes)
            result.register_hook(not_implemented)
            return result

        return refuse

    monkeypatch.setattr(replay, "counterpart", refusing)
    explanation = torch.explain(lambda x: (x.sin().exp() * x).sum(), np.array([0.5, 2.0]))
    against_pytorch(explanation.found)
    checks = {node.op or node.name: node.gradient.pytorch for node in explanation.nodes}
    assert all(check.ok for check in checks.values())
    told = {name for name, check in checks.items() if check.note}
    assert told == {"x", "sin"}
    assert "no counterpart of exp" in checks["x"].note
