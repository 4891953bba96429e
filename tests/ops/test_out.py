"""`out=` over the table of operations: what is written, into which types and shapes, and errors."""

import warnings

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

# PyTorch itself divides by zero where range writes whole numbers.
ROWS = [row for row in OPERATIONS
        if row.public and row.function is None and not row.name.startswith("Tensor.")
        and row.name != "range"]  # fmt: skip
REFUSED_HERE = ("nn.functional.linear",)
"""What takes out= in PyTorch and not here: TypeError."""
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


def outcomes(engine, row, sample, targets=TARGETS):
    """With each target what is in the tensors afterwards, their types, warnings; or an error."""
    arguments, options = twin(engine, read([sample.arguments, sample.options])).arguments
    arguments = without_gradient(tuple(arguments))
    options = {name: without_gradient(value) for name, value in options.items()}
    engine.manual_seed(0)
    try:
        plain = row.call(engine, row.name, *arguments, **options)
    except Exception:
        return None
    if not all(hasattr(part, "requires_grad") for part in parts(plain)):
        return None
    found = {}
    for target, make in targets.items():
        out = [make(engine, part) for part in parts(plain)]
        given = tuple(out) if isinstance(plain, list | tuple) else out[0]
        found[target] = outcome(engine, row, arguments, {**options, "out": given}, out)
    return found


def outcome(engine, row, arguments, options, out):
    engine.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = parts(row.call(engine, row.name, *arguments, **options))
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


def test_out_as_pytorch_has_it():
    wrong, compared = [], 0
    for row in ROWS:
        sample = row.sample("ordinary", 0)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            theirs = outcomes(torch, row, sample)
            if theirs is None or row.name in REFUSED_HERE:
                continue
            ours = outcomes(tinygrad_mnist, row, sample)
        compared += 1
        wrong += [(row.name, target, ours[target], theirs[target])
                  for target in TARGETS if not alike(ours[target], theirs[target])]  # fmt: skip
    assert not wrong
    assert compared > 250


def test_out_of_elements_in_one_place_is_refused():
    def in_one_place(engine, x):
        return engine.zeros((), dtype=x.dtype).expand(x.shape if x.numel() > 1 else (2,))

    for row in ROWS:
        found = outcomes(tinygrad_mnist, row, row.sample("ordinary", 0), {"": in_one_place})
        assert found is None or found[""] in (TypeError, RuntimeError), row.name
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


FIXED = ("zeros(3", "ones(3", "full((3,), 1.0", "arange(3", "linspace(0, 1, 3", "logspace(0, 1, 3",
         "rand(3", "randn(3", "sum(x, 0", "mean(x, 0", "prod(x, 0", "cumsum(x, 0",
         "nansum(x, 0")  # fmt: skip


@pytest.mark.parametrize("engine", [tinygrad_mnist, torch])
@pytest.mark.parametrize("call", FIXED)
def test_a_type_that_is_not_that_of_out_is_refused(engine, call):
    into = {"e": engine, "x": engine.ones(3), "out": engine.zeros(3)}
    with pytest.raises(RuntimeError, match="dtype"):
        eval(f"e.{call}, dtype=e.float64, out=out)", into)


@pytest.mark.parametrize("engine", [tinygrad_mnist, torch])
def test_rows_of_numbers_fill_any_shape_in_its_order(engine):
    x = engine.zeros(2, 3)
    engine.arange(4, out=x[:, 1:])
    assert x.tolist() == [[0, 0, 1], [0, 2, 3]]
    with pytest.raises(RuntimeError, match="more than one element"):
        engine.linspace(0, 1, 2, out=x[0, :1].expand(2))
    with pytest.raises(RuntimeError):
        engine.randperm(1000, out=engine.zeros(1000, dtype=engine.int8))
