"""Every primitive is proven by its registration.

The tests are made from the registry: a primitive that no row of the table of operations names as
its own, or whose rows do not run it, or without a counterpart in PyTorch, or differentiable and
without a check of the second order, fails here. Each row of the table is then held to its limits
in all its situations.
"""

import contextlib
import itertools

import numpy as np
import pytest
import torch

import tinygrad_mnist
from tinygrad_mnist.core.backward_pass import topological_order
from tinygrad_mnist.engine.node import PRIMITIVES
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.testing import gradgradcheck
from tinygrad_mnist.tools.parity import outcomes
from tinygrad_mnist.tools.parity.report import measure, registered
from tinygrad_mnist.tools.parity.samples import Maker
from tinygrad_mnist.tools.parity.table import OPERATIONS, SITUATIONS
from tinygrad_mnist.tools.parity.twins import read, twin

REGISTERED = registered()
DIFFERENTIABLE = [name for name in REGISTERED if PRIMITIVES[name].formulas]
ROWS = {name: [row for row in OPERATIONS if name in row.proves] for name in REGISTERED}
PROVING = [row for row in OPERATIONS if set(row.proves) & set(REGISTERED)]
SMOOTH = [row for row in PROVING if row.second_order is not False and row.name != "mode"]
"""Not the most frequent number, which is another one as soon as a number changes."""


def run(row, sample):
    """A call of the row with tensors of its own, their leaves, and what the call gave."""
    given = twin(tinygrad_mnist, (read(sample.options), *map(read, sample.arguments)))
    options, *arguments = given.arguments
    leaves = [each for each in given.tensors.values() if each.requires_grad]

    def call(*_):
        return row.call(tinygrad_mnist, row.name, *arguments, **options)

    results = call()
    results = results if isinstance(results, tuple | list) else [results]
    return call, leaves, [each for each in results if isinstance(each, tinygrad_mnist.Tensor)]


def called_by(row):
    """The primitives that run, or leave records, as a row's samples go forward and backward."""

    def call(options, *arguments):
        return row.call(tinygrad_mnist, row.name, *arguments, **options)

    for situation, seed in itertools.product(("ordinary", "integers", "numbers"), range(4)):
        sample, seen = row.sample(situation, seed), set()
        given = (read(sample.options), *map(read, sample.arguments))
        with observe(lambda each, *_, seen=seen: seen.add(each.name)):
            with contextlib.suppress(RuntimeError, TypeError, ValueError, OverflowError):
                *_, results = run(row, sample)
                records = [each._record for each in results if each._record is not None]
                walked = topological_order(records)
                seen |= {each.primitive.name for each in walked if each.primitive is not None}
            outcomes.observe(tinygrad_mnist, call, given, seed=sample.seed, second_order=True)
        yield from seen


@pytest.mark.parametrize("name", REGISTERED)
def test_a_row_runs_it(name):
    assert ROWS[name], f"no row of tinygrad_mnist/tools/parity/table names {name} as its own"
    if name != "recurrent_backward":  # on arrays, and on tensors only as a program is traced
        assert any(name in called_by(row) for row in ROWS[name])


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("name", REGISTERED)
def test_has_a_counterpart_in_pytorch(name):
    """Some row computes on PyTorch's tensors and gives tensors of PyTorch's."""
    found = []
    for row in ROWS[name]:
        sample = row.sample("ordinary", 0)
        given = twin(torch, tuple(read(each) for each in sample.arguments)).arguments
        options = twin(torch, (read(sample.options),)).arguments[0]
        result = row.call(torch, row.name, *given, **options)
        found += result if isinstance(result, tuple | list) else [result]
    assert any(isinstance(each, torch.Tensor) for each in found)


WITHOUT_DERIVATIVE = (
    "found", "ctc_loss", "ctc_loss_backward", "hardsigmoid", "heaviside", "nextafter",
    "dirichlet_grad", "sample_dirichlet", "standard_gamma", "standard_gamma_grad",
)  # fmt: skip
"""PyTorch has no derivative either (of some, as of hardsigmoid, none of the second order)."""


@pytest.mark.parametrize("name", sorted(set(DIFFERENTIABLE) - set(WITHOUT_DERIVATIVE)))
def test_its_second_order_is_checked(name):
    assert any(row in SMOOTH and row.differentiable is not False for row in ROWS[name])


@pytest.mark.parametrize("name", REGISTERED)
def test_wrong_arguments_are_tried(name):
    inside = {"slice_backward", "index_backward", "gather_backward", "log_softmax_backward",
              "nll_loss_backward", "threshold_backward", "unfold_backward"}  # fmt: skip
    without_arguments = {"random", "zeros"}
    if name not in inside | without_arguments:
        assert any(row.errors for row in ROWS[name])


@pytest.mark.parametrize("row", PROVING, ids=lambda row: row.name)
def test_every_situation_is_tried(row):
    without = {"autograd.Function": {"broadcast", "integers", "bools", "mixed", "numbers"}}
    repeats = {name: {"expanded", "bools", "numbers"} for name in ("topk", "kthvalue", "median")}
    volumes = {f"nn.functional.{name}": {"special"} for name in ("conv3d", "conv_transpose3d")}
    excused = {**without, **repeats, **volumes}
    assert set(SITUATIONS) - set(row.situations) == excused.get(row.name, set())


AGAIN = {"ordinary", "float64", "broadcast", "halves", "special", "integers", "mixed"}
"""Situations that chance fills in more ways than others."""


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_agrees_with_pytorch(row):
    """Value, shape, dtype, gradients of both orders, errors, and that inputs stay as they were."""
    found = measure(row, 1)
    for situation in AGAIN.intersection(row.situations):
        sample = row.sample(situation, 1)
        found.add(sample, row.compare(sample), situation)
    assert not found.differs, f"{'; '.join(found.differs)}\n{found.example}"


def differentiable(row, seed):
    """As `run`, in float64; None where nothing can be differentiated."""
    call, leaves, results = run(row, row.sample("float64", seed))
    roots = [each for each in results if each.grad_fn is not None]
    if not leaves or not roots:
        return None
    try:
        tinygrad_mnist.autograd.grad(roots, leaves, list(map(tinygrad_mnist.ones_like, roots)),
                                     retain_graph=True, allow_unused=True)  # fmt: skip
    except (NotImplementedError, RuntimeError) as error:
        if "is not implemented" in str(error):
            return None
        raise
    return call, leaves, roots


@pytest.mark.parametrize("row", SMOOTH, ids=lambda row: row.name)
def test_second_order_by_finite_differences(row):
    found = differentiable(row, 0)
    if found is None or any(each.dtype is not tinygrad_mnist.float64 for each in found[2]):
        return
    call, leaves, _ = found
    assert gradgradcheck(call, leaves, fast_mode=True, atol=1e-4)


@pytest.mark.parametrize("row", PROVING, ids=lambda row: row.name)
def test_gradients_share_no_memory(row):
    found = differentiable(row, 1)
    if found is None:
        return
    _, leaves, roots = found
    above = [tinygrad_mnist.ones_like(root) for root in roots]
    tinygrad_mnist.autograd.backward(roots, above)
    grads = [leaf.grad._array for leaf in leaves if leaf.grad is not None]
    others = [each.detach()._array for each in (*leaves, *roots, *above)]
    for position, grad in enumerate(grads):
        for other in grads[position + 1 :] + others:
            assert not np.shares_memory(grad, other)


def test_samples_are_fixed_by_their_seed():
    row = OPERATIONS[0]
    assert repr(row.sample("ordinary", 3)) == repr(row.sample("ordinary", 3))
    assert repr(row.sample("ordinary", 3)) != repr(row.sample("ordinary", 4))
    assert Maker(lambda low, high: low, "scalar").shape() == ()


@pytest.mark.parametrize(
    "call", [tinygrad_mnist.add, lambda x, y: tinygrad_mnist.where(x > 0, x, y)]
)
def test_shapes_that_do_not_broadcast_are_told_without_numpys_error(call):
    with pytest.raises(RuntimeError, match=r"size of tensor a \(2\) must match") as raised:
        call(tinygrad_mnist.ones(2), tinygrad_mnist.ones(3))
    assert raised.value.__suppress_context__
