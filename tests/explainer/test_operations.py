"""A part of the table of operations explained: the data is whole, the gradients the engine's."""

import contextlib

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.explainer.data import check
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

ROWS = [row for row in OPERATIONS if not row.name.endswith("_")][::3]
REFUSED = (RuntimeError, TypeError, ValueError, OverflowError, IndexError, NotImplementedError)


def total(row):
    """The sum of an operation's results on leaves, as a function, and the leaves."""
    sample = row.sample("ordinary", 0)
    given = twin(torch, (read(sample.options), *map(read, sample.arguments)))
    options, *arguments = given.arguments

    def add_up():
        torch.manual_seed(0)
        results = row.call(torch, row.name, *arguments, **options)
        results = results if isinstance(results, tuple | list) else [results]
        return sum(each.sum() for each in results if getattr(each, "requires_grad", False) is True)

    return add_up, [leaf for leaf in given.tensors.values() if leaf.requires_grad]


@pytest.mark.filterwarnings("ignore")
def test_each_operation_is_explained():
    explained = 0
    for row in ROWS:
        with contextlib.suppress(*REFUSED):
            add_up, leaves = total(row)
            if torch.is_tensor(add_up()):
                same_gradients(torch.explain(add_up), add_up, leaves)
                explained += 1
    assert explained > 90


def same_gradients(explanation, add_up, leaves):
    explanation._checked = True  # the table is held to PyTorch elsewhere
    check(explanation.to_json())
    assert explanation.text()
    torch.autograd.backward(add_up())
    shown = [step.array for step in explanation.steps if step.phase == "accumulate"]
    kept = [leaf.grad.numpy() for leaf in leaves if leaf.grad is not None]
    assert len(shown) >= len(kept)
    for grad in kept:
        assert any(np.array_equal(grad, array, equal_nan=True) for array in shown)
