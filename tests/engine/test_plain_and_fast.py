"""The fast ways of `engine` held to the plain ways of `core`, over the whole table of operations.

Every call that a row of the table makes is made once more by `core`'s plain call and once by the
hot paths: the tensor, its record and what the record saved must be the same, and so must the errors
for operands that do not fit. The calls are then sent back, by `core`'s `vjp` and by the engine's.
"""

import contextlib

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.core import backward_pass as plain_pass
from tinygrad_mnist.core.primitive import Primitive as Plain
from tinygrad_mnist.core.record import Record as PlainRecord
from tinygrad_mnist.engine import backward_pass as fast_pass
from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.engine.primitive import Primitive
from tinygrad_mnist.engine.tensor import TensorBase
from tinygrad_mnist.engine.views import current_record, requires_grad
from tinygrad_mnist.tools.parity.table import OPERATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

SAMPLES = (("ordinary", 0), ("ordinary", 1), ("broadcast", 2), ("numbers", 3))
"""Situations of a row, each with a seed."""
SEEN = set()


def calls_of(row, situation, seed):
    """The calls that a row makes, forward and backward, of primitives that draw no numbers."""
    heard = []
    sample = row.sample(situation, seed)
    given = twin(torch, (read(sample.options), *map(read, sample.arguments)))
    options, *arguments = given.arguments
    with (
        contextlib.suppress(RuntimeError, TypeError, ValueError, OverflowError, IndexError),
        np.errstate(all="ignore"),
        observe(lambda *call: heard.append(call)),
    ):
        results = row.call(torch, row.name, *arguments, **options)
        results = results if isinstance(results, tuple | list) else [results]
        roots = [each for each in results if isinstance(each, torch.Tensor) and each.requires_grad]
        leaves = [each for each in given.tensors.values() if each.requires_grad]
        torch.autograd.grad(
            roots, leaves, [each.detach() for each in roots], create_graph=True, allow_unused=True
        )
    return [
        (op, inputs, attributes)
        for op, inputs, attributes, output in heard
        if isinstance(op, Primitive)
        and any(isinstance(each, TensorBase) for each in inputs)
        and not any(isinstance(each, TensorBase) and leads_nowhere(each) for each in inputs)
        and "fill" not in attributes
        and not any(output is each for each in inputs)
    ]


def leads_nowhere(tensor):
    """Whether it is a view that requires a gradient and has no record, as one taken under no_grad;
    the plain way knows no views."""
    return tensor._record is None and requires_grad(tensor)


def outcome(call, *arguments, **named):
    """What a call gave, or the kind and the words of its error."""
    torch.manual_seed(0)
    try:
        return call(*arguments, **named)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        return type(error).__name__, str(error)


def values(saved):
    return [None if each is None else np.asarray(each) for each in saved]


def assert_same(have, want):
    assert have.dtype == want.dtype
    np.testing.assert_array_equal(have, want, strict=True)


def compare_calls(op, inputs, attributes):
    """Both calls of `op`: their outcomes, which are held to each other."""
    for each in inputs:
        if isinstance(each, TensorBase):
            current_record(each)
    fast = outcome(op, *inputs, **dict(attributes))
    plain = outcome(Plain.__call__, op, *inputs, **dict(attributes))
    if isinstance(fast, tuple) or isinstance(plain, tuple):
        assert fast == plain
        return None
    assert_same(plain._array, fast._array)
    ours, theirs = fast._record, plain._record
    assert (ours is None) == (theirs is None)
    if ours is None:
        return None
    assert ours.primitive is theirs.primitive is op
    assert type(theirs) is PlainRecord
    assert type(ours) is op.record_type
    assert len(ours.inputs) == len(theirs.inputs)
    assert all(a is b for a, b in zip(ours.inputs, theirs.inputs, strict=True))
    assert (ours.shape, ours.dtype, ours.attributes) == (
        theirs.shape, theirs.dtype, theirs.attributes
    )  # fmt: skip
    kept = [None if each is None else each[0] for each in ours.saved]
    for a, b in zip(values(kept), values(theirs.saved), strict=True):
        assert (a is None) == (b is None)
        if a is not None:  # a number is kept as Python has it, or in the type computed in
            np.testing.assert_allclose(a, b, rtol=1e-6 if a.ndim == 0 else 0)
    return ours, theirs


def compare_gradients(fast, plain):
    """The gradients that both records give their inputs."""
    random = np.random.default_rng(0)
    gradient = random.uniform(-1, 1, fast.shape).astype(fast.dtype)
    with np.errstate(all="ignore"):
        ours = outcome(fast_pass.vjp, fast, gradient, None)
        theirs = outcome(plain_pass.vjp, plain, gradient)
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        assert ours == theirs
        return
    assert [fast.inputs[position] for position, _, _ in ours] == [source for source, _ in theirs]
    for (_, have, _), (source, want) in zip(ours, theirs, strict=True):
        assert have.shape == want.shape == source.shape
        assert have.dtype == want.dtype == source.dtype
        # a sum over what was broadcast is added up in another order
        np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_a_call_and_its_gradients(row):
    for situation, seed in SAMPLES:
        for op, inputs, attributes in calls_of(row, situation, seed):
            found = compare_calls(op, inputs, attributes)
            SEEN.add(op.name)
            if found is not None:
                compare_gradients(*found)
            # NumPy's functions check their operands; compiled loops get what their callers checked.
            if op.ufunc is not None and len(inputs) == 2 and isinstance(inputs[1], TensorBase):
                kind = inputs[1].dtype
                odd = torch.ones(7, 5, dtype=kind, requires_grad=kind.is_floating_point)
                compare_calls(op, (inputs[0], odd), attributes)


@pytest.mark.filterwarnings("ignore")
def test_the_whole_table_was_seen():
    differentiable = {name for name, op in PRIMITIVES.items() if op.formulas}
    drawing = {name for name, op in PRIMITIVES.items() if "fill" in op.attributes}
    rows = iter(OPERATIONS)
    while unseen := differentiable - drawing - SEEN:  # where another worker saw the others
        row = next(rows, None)
        assert row is not None, unseen
        for situation, seed in SAMPLES:
            SEEN.update(op.name for op, _, _ in calls_of(row, situation, seed))


def test_a_backward_pass_through_many_calls():
    """The plain pass, from records of the plain call, gives the leaves what the fast pass gives."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape) for shape in ((6, 4), (4, 5), (5,))]

    def run(call):
        x, w, b = [torch.tensor(each, requires_grad=True) for each in arrays]
        z = call("add", call("mm", x, w), b)
        gate = call("sigmoid", z)
        loss = call("sum", call("mul", call("mul", z, gate), z), dim=(0, 1), keepdim=False)
        return loss, (x, w, b)

    fast, leaves = run(lambda name, *inputs, **named: PRIMITIVES[name](*inputs, **named))
    fast.backward()
    plain, others = run(lambda name, *i, **named: Plain.__call__(PRIMITIVES[name], *i, **named))
    plain_pass.backward(plain)
    for ours, theirs in zip(leaves, others, strict=True):
        np.testing.assert_allclose(ours.grad._array, theirs._record.grad._array, rtol=1e-12)
