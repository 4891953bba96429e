"""`out=` over the table of operations: what is written, into which types and shapes, and errors."""

import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

ROWS = [row for row in OPERATIONS
        if row.public and row.function is None and not row.name.startswith("Tensor.")
        and row.name != "range"]  # PyTorch's divides by 0 there, and ends the process  # fmt: skip
REFUSED_HERE = ("nn.functional.", "special.", "conj_physical", "isin")
"""What takes out= in PyTorch and not here: it says so."""
STRICTER_HERE = ("logical_and", "logical_or", "logical_xor", "logical_not", "nansum", "softmax",
                 "log_softmax", "cat")  # fmt: skip
"""Refused with a sentence: a target that requires a gradient, or one of another type."""
TARGETS = {
    "of another shape": lambda e, x: e.zeros(7, *x.shape, dtype=x.dtype),
    "of float64": lambda e, x: e.zeros(tuple(x.shape), dtype=e.float64),
    "of int64": lambda e, x: e.zeros(tuple(x.shape), dtype=e.int64),
    "with a gradient": lambda e, x: e.zeros(tuple(x.shape)).requires_grad_(),
}


def parts(result):
    if isinstance(result, list | tuple) and type(result).__name__ != "Size":
        return [part for each in result for part in parts(each)]
    return [result]


def without_gradient(value):
    if type(value) in (list, tuple):
        return type(value)(without_gradient(each) for each in value)
    return value.detach() if hasattr(value, "requires_grad") else value


def outcome(engine, row, sample, make):
    """What is in the tensors afterwards, their types, and warnings; an error's class; or None."""
    arguments, options = twin(engine, read([sample.arguments, sample.options])).arguments
    arguments, options = (
        without_gradient(arguments),
        {k: without_gradient(v) for k, v in options.items()},
    )
    engine.manual_seed(0)
    try:
        plain = row.call(engine, row.name, *arguments, **options)
    except Exception:
        return None
    if not all(hasattr(part, "requires_grad") for part in parts(plain)):
        return None
    out = [make(engine, part) for part in parts(plain)]
    given = tuple(out) if isinstance(plain, list | tuple) else out[0]
    engine.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = parts(row.call(engine, row.name, *arguments, **options, out=given))
        except Exception as error:
            return type(error)
    assert all(a is b for a, b in zip(found, out, strict=True))
    told = [(str(x.dtype), tuple(x.shape), np.array(x.double().tolist())) for x in out]
    return told, [warning.category.__name__ for warning in caught]


def alike(ours, theirs):
    if isinstance(ours, type) or isinstance(theirs, type):
        return ours is theirs
    return ours[1] == theirs[1] and all(
        a[:2] == b[:2] and np.allclose(a[2], b[2], 1e-4, 1e-5, equal_nan=True)
        for a, b in zip(ours[0], theirs[0], strict=True)
    )


@pytest.mark.parametrize("target", TARGETS)
def test_out_as_pytorch_has_it(target):
    wrong, compared = [], 0
    for row in ROWS:
        sample = row.sample("ordinary", 0)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            theirs = outcome(torch, row, sample, TARGETS[target])
            if theirs is None or theirs is TypeError or row.name.startswith(REFUSED_HERE):
                continue
            ours = outcome(tinygrad_mnist, row, sample, TARGETS[target])
        compared += 1
        if not alike(ours, theirs):
            wrong.append((row.name, ours, theirs))
    assert not [name for name, *_ in wrong if name not in STRICTER_HERE], wrong
    assert compared > 150


def test_out_of_elements_in_one_place_is_refused():
    def in_one_place(engine, x):
        return engine.zeros((), dtype=x.dtype).expand(x.shape if x.numel() > 1 else (2,))

    for row in ROWS:
        if not row.name.startswith(REFUSED_HERE):
            sample = row.sample("ordinary", 0)
            found = outcome(tinygrad_mnist, row, sample, in_one_place)
            assert found in (None, TypeError, RuntimeError), row.name
    x, y = (engine.ones(3) for engine in (torch, tinygrad_mnist))
    said = []
    for engine, one in ((torch, x), (tinygrad_mnist, y)):
        with pytest.raises(RuntimeError) as raised:
            engine.mul(one, 2, out=engine.zeros(1).expand(3))
        said.append(str(raised.value))
    assert said[0] == said[1]


def test_what_is_computed_may_overlap_what_is_written():
    x = tinygrad_mnist.arange(4.0)
    assert tinygrad_mnist.flip(x, [0]).tolist() == [3, 2, 1, 0]
    tinygrad_mnist.add(x[:-1], x[1:], out=x[1:])
    assert x.tolist() == [0, 1, 3, 5]
    y = tinygrad_mnist.ones(2)
    before = y._version
    assert tinygrad_mnist.add(y, y, out=y) is y
    assert y._version > before
    with pytest.raises(TypeError, match=r"add\(\): argument 'out' must be Tensor, not float"):
        tinygrad_mnist.add(y, y, out=1.0)
