"""What PyTorch has no derivative of is refused as it refuses it, and never has none silently."""

import pytest
import torch

import tinygrad_mnist as ours


def leaf(engine, *shape):
    return engine.full(shape, 0.5, requires_grad=True)


def second_of_ctc(engine):
    scores, ones = leaf(engine, 4, 1, 3), engine.ones(1, dtype=engine.int64)
    loss = engine.nn.functional.ctc_loss(scores, ones.reshape(1, 1), 4 * ones, ones)
    (gradient,) = engine.autograd.grad(loss, scores, create_graph=True)
    return gradient


CALLS = {
    "igamma": lambda t: t.igamma(leaf(t, 2), leaf(t, 2)),
    "igammac": lambda t: t.igammac(leaf(t, 2), t.ones(2)),
    "zeta": lambda t: t.special.zeta(leaf(t, 2) + 1, leaf(t, 2)),
    "heaviside": lambda t: t.heaviside(t.zeros(2), leaf(t, 2)),
    "histogram": lambda t: t.histogram(leaf(t, 3), 2).hist,
    "binomial": lambda t: t.binomial(t.ones(2), leaf(t, 2)),
    "ctc_loss twice": second_of_ctc,
    "batch_norm": lambda t: t.nn.functional.batch_norm(t.ones(3, 2), t.zeros(2), leaf(t, 2)),
    "nll_loss": lambda t: t.nn.functional.nll_loss(
        t.ones(1, 2), t.zeros(1, dtype=t.int64), leaf(t, 2)
    ),
    "soft_margin_loss": lambda t: t.nn.functional.soft_margin_loss(t.ones(2), leaf(t, 2)),
    "multi_margin_loss": lambda t: t.nn.functional.multi_margin_loss(
        t.ones(1, 2), t.zeros(1, dtype=t.int64), weight=leaf(t, 2)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_refused(name):
    errors = []
    for engine in (torch, ours):
        with pytest.raises((NotImplementedError, RuntimeError)) as caught:
            CALLS[name](engine).sum().backward()
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


def test_the_other_input_has_its_derivative():
    for name in ("igamma", "igammac"):
        slopes = []
        for engine in (torch, ours):
            a, x = leaf(engine, 2), leaf(engine, 2)
            out = getattr(engine, name)(a, x).sum()
            slopes.append(engine.autograd.grad(out, x)[0].tolist())
        assert slopes[0] == pytest.approx(slopes[1])
