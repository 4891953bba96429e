"""The losses of classification, held against PyTorch, and against the tutorial's own formulas."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_mnist
from tests.ops import samples as s
from tests.ops.harness import ENGINES, Operation, check, upstream

FINITE = ("halves", "normal")


@st.composite
def classified(draw, probabilities=False, smoothing=False):
    """Scores, targets and perhaps weights of classes; now and then of sizes that do not fit."""
    inner = draw(st.sampled_from([None, (), (), (2,), (2, 3), (1, 2, 2)]))
    batch, classes = draw(st.integers(0 if inner == () else 1, 4)), draw(st.integers(1, 4))
    sizes = () if inner is None else (batch, *inner)
    shape = (classes,) if inner is None else (batch, classes, *inner)
    random = np.random.default_rng(draw(s.seeds))
    kind = draw(st.sampled_from(("float32", "float64")))
    scores = draw(s.arrays(shape, (kind,), FINITE))
    if inner:  # PyTorch's own gradient refuses other layouts there
        scores = np.ascontiguousarray(scores)
    if probabilities:
        target = s.filled(shape, kind, "unit", draw(s.seeds))
    else:
        wrong = draw(st.integers(0, 7)) == 0
        target = random.integers(0, classes + wrong, sizes)
        kinds = ("int64", "int64", "int32") if smoothing else ("int64", "int64", "uint8", "int32")
        target = target.astype(draw(st.sampled_from(kinds)))
        if sizes and draw(st.integers(0, 7)) == 0:
            target = target[:-1]
    options = {"reduction": draw(st.sampled_from(("none", "mean", "sum", "mean")))}
    if draw(st.booleans()):
        options["ignore_index"] = -100 if probabilities else draw(st.integers(-1, 2))
    if smoothing:
        options["label_smoothing"] = draw(st.sampled_from((0.1, 1.0)))
    weight = [s.filled((classes,), kind, "positive", draw(s.seeds))] if draw(st.booleans()) else []
    return s.Sample([scores, target, *weight], options, draw(s.seeds))


def loss(name):
    """A call of the loss `name`; no gradient is asked for the weights of classes."""

    def call(t, scores, target, weight=None, **options):
        weight = weight if weight is None else weight.detach()
        return getattr(t.nn.functional, name)(scores, target, weight, **options)

    return call


def row(name, call, samples):
    """Sums of a few logarithms, each within 8 ulp of the largest of its terms."""
    return Operation(name, call, samples, ulp=16, grad_ulp=32, measure="largest", grad_fn=False)


TABLE = [
    row("nll_loss", loss("nll_loss"), classified()),
    row("cross_entropy", loss("cross_entropy"), classified()),
    row("cross_entropy of probabilities", loss("cross_entropy"), classified(True)),
    row("cross_entropy, smoothed", loss("cross_entropy"), classified(False, True)),
    row("cross_entropy of probabilities, smoothed", loss("cross_entropy"), classified(True, True)),
]


@pytest.mark.parametrize("operation", TABLE, ids=repr)
@given(data=st.data())
def test_agrees_with_pytorch(operation, data):
    check(operation, data.draw(operation.samples))


def composed_log_softmax(x):
    """The tutorial's own."""
    return x - x.exp().sum(-1).log().unsqueeze(-1)


def composed_nll(input, target):
    """The tutorial's own."""
    return -input[range(target.shape[0]), target].mean()


@given(rows=st.integers(1, 5), classes=st.integers(1, 5), seed=s.seeds)
def test_the_tutorials_formulas_give_the_gradients_of_the_primitives(rows, classes, seed):
    random = np.random.default_rng(seed)
    scores = random.normal(0, 3, (rows, classes))
    target = tinygrad_mnist.tensor(random.integers(0, classes, rows))
    found = []
    for log_softmax, nll in (
        (composed_log_softmax, composed_nll),
        (lambda x: tinygrad_mnist.log_softmax(x, -1), tinygrad_mnist.nn.functional.nll_loss),
    ):
        x = tinygrad_mnist.tensor(scores, requires_grad=True)
        loss = nll(log_softmax(x), target)
        (first,) = tinygrad_mnist.autograd.grad(loss, x, create_graph=True)
        second = tinygrad_mnist.autograd.grad(first, x, upstream(tinygrad_mnist, first, seed))
        found.append([loss.item(), first.detach().numpy(), second[0].numpy()])
    for composed, primitive in zip(*found, strict=True):
        np.testing.assert_allclose(composed, primitive, rtol=1e-12, atol=1e-13)


NAMES = [
    ((3, 2), (3,), {}, "NllLossBackward0"),
    ((2,), (), {}, "NllLossBackward0"),
    ((3, 2, 4, 5), (3, 4, 5), {}, "NllLoss2DBackward0"),
    ((3, 2), (3,), {"label_smoothing": 0.1}, "AddBackward0"),
]


@pytest.mark.parametrize(("shape", "sizes", "options", "name"), NAMES)
def test_names_of_records(shape, sizes, options, name):
    for t in ENGINES:
        scores = t.zeros(shape, requires_grad=True)
        loss = t.nn.functional.cross_entropy(scores, t.zeros(sizes, dtype=t.int64), **options)
        assert type(loss.grad_fn).__name__ == name


ERRORS = [
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1])),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1, 2])),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1, -1])),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0.0, 1, 1])),
    lambda t, F: F.nll_loss(t.ones(3, 2, dtype=t.int32), t.tensor([0, 1, 1])),
    lambda t, F: F.nll_loss(t.ones(2), t.tensor([1, 0])),
    lambda t, F: F.nll_loss(t.tensor(1.0), t.tensor(1)),
    lambda t, F: F.nll_loss(t.ones(3, 2, 4), t.zeros(3, 5, dtype=t.int64)),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1, 1]), weight=t.ones(3)),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1, 1]), t.ones(2, dtype=t.float64)),
    lambda t, F: F.nll_loss(t.ones(3, 2), t.tensor([0, 1, 1]), reduction="some"),
    lambda t, F: F.nll_loss(t.ones(3, 2), [0, 1, 1]),
    lambda t, F: F.cross_entropy(t.ones(3, 2), t.ones(3, 3)),
    lambda t, F: F.cross_entropy(t.ones(3, 2), t.ones(3, 2), ignore_index=1),
    lambda t, F: F.cross_entropy(t.ones(3, 2), t.tensor([0, 1, 1]), label_smoothing=1.5),
    lambda t, F: F.cross_entropy(t.ones(3, 2), 1),
    lambda t, F: t.softmax(t.ones(2), 2),
    lambda t, F: t.softmax(t.ones(2), "a"),
    lambda t, F: t.log_softmax(t.ones(2, dtype=t.int64), 0),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors_are_pytorchs(call):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(torch, torch.nn.functional)
    with pytest.raises(type(theirs.value)) as ours:
        call(tinygrad_mnist, tinygrad_mnist.nn.functional)
    assert str(ours.value) == str(theirs.value)
