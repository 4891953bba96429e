"""Over the whole table of operations: a right gradient is told right, a wrong one never so."""

import contextlib

import numpy as np
import pytest

import tinygrad_mnist as torch
from tests.parts import in_parts
from tinygrad_mnist.explainer.why import walks
from tinygrad_mnist.explainer.why.words import FIXES
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

pytestmark = pytest.mark.filterwarnings("ignore")
REFUSED = (RuntimeError, TypeError, ValueError, OverflowError, IndexError)


def passed_back(row, situation):
    """A loss computed by a row of the table, after backward(); the leaves. None where refused."""
    sample = row.sample(situation, 0)
    given = twin(torch, (read(sample.options), *map(read, sample.arguments)))
    options, *arguments = given.arguments
    leaves = [each for each in given.tensors.values() if each.requires_grad]
    loss = None
    with contextlib.suppress(*REFUSED), np.errstate(all="ignore"):
        results = row.call(torch, row.name, *arguments, **options)
        results = results if isinstance(results, tuple | list) else [results]
        roots = [each for each in results if isinstance(each, torch.Tensor) and each.requires_grad]
        weighed = [(each * torch.linspace(1, 2, each.numel()).view_as(each)).sum()
                   for each in roots]  # fmt: skip
        if weighed:
            loss = torch.stack(weighed).sum()
            loss.backward(retain_graph=True)
    return None if loss is None else (loss, leaves)


def found_by(failures):
    def looked_at(find, *what):
        try:
            return find(*what)
        except Exception as error:
            failures.append(error)
            raise

    return looked_at


def is_right(tensor):
    grad = tensor.grad
    return grad is not None and bool((grad.isfinite() & (grad != 0)).all())


@pytest.mark.parametrize(("situation", "remembers"), [("ordinary", True), ("broadcast", False)])
@in_parts("row", OPERATIONS)
def test_a_gradient_is_told_as_it_is(row, situation, remembers, monkeypatch):
    monkeypatch.setattr(walks, "found_by", found_by(failures := []))
    with torch.why.remember(remembers):
        made = passed_back(row, situation)
    assert not failures
    if made is None:
        return
    loss, leaves = made
    for leaf in leaves:
        reason = torch.why(leaf, loss)
        if is_right(leaf):
            assert reason.cause == "nothing", reason
        elif leaf.grad is None or not (leaf.grad != 0).any() or not leaf.grad.isfinite().all():
            assert reason.cause not in ("nothing", "unknown"), reason
        assert reason.fix == FIXES[reason.cause]
        assert str(reason)
