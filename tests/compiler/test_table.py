"""Every operation of the table of operations, compiled as it is uncompiled, gradients and all.

Most are compiled; some are replayed, and some run uncompiled, both with a warning.
"""

import warnings

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

SITUATIONS = ("ordinary", "broadcast", "integers", "special", "empty")


def tensors_in(result):
    if isinstance(result, tuple | list):
        return [tensor for part in result for tensor in tensors_in(part)]
    return [result] if isinstance(result, torch.Tensor) else []


def given_to(sample):
    """The options and arguments of a sample, and the tensors among them."""
    made = twin(torch, (read(sample.options), *map(read, sample.arguments)))
    return made.arguments, list(made.tensors.values())


def numbers_of(results, tensors):
    gradients = [each.grad for each in tensors if each.is_leaf and each.requires_grad]
    return [None if each is None else each.detach().numpy()
            for each in (*results, *tensors, *gradients)]  # fmt: skip


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_compiled_as_uncompiled(row):
    def run(options, *arguments):
        results = tensors_in(row.call(torch, row.name, *arguments, **options))
        totals = [(each * 1.0).sum() for each in results if each.requires_grad]
        if totals:
            sum(totals).backward()
        return [each.detach() for each in results]

    for situation in set(SITUATIONS) & set(row.situations):
        sample = row.sample(situation, 0)
        step = torch.compile(run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                arguments, tensors = given_to(sample)
                torch.manual_seed(0)
                wanted = numbers_of(run(*arguments), tensors)
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                RuntimeError,
                TypeError,
                ValueError,
            ):
                continue  # what eager mode refuses
            for _ in range(2):
                arguments, tensors = given_to(sample)
                torch.manual_seed(0)
                found = numbers_of(step(*arguments), tensors)
                for ours, theirs in zip(found, wanted, strict=True):
                    assert getattr(ours, "dtype", None) == getattr(theirs, "dtype", None)
                    if ours is not None:
                        np.testing.assert_allclose(ours, theirs, rtol=3e-4, atol=3e-5)
