"""ctc_loss where a way is missing: labels that do not fit, probabilities of zero, blanks inside."""

import numpy as np
import pytest
import torch as real_torch

import tinygrad_mnist as torch

NONE = -float("inf")
CASES = {
    "too many equal labels": ([[1, 1, 1], [2, 1, 3]], [4, 4], [3, 3], 0, ()),
    "probabilities of zero": ([[1, 2, 1], [2, 1, 3]], [3, 4], [2, 3], 0, ((1, 0, 2), (1, 1, 3))),
    "both": ([[1, 1, 1], [2, 1, 3]], [4, 4], [3, 3], 0, ((1, 0, 2), (3, 0, 1))),
    "a blank among the labels": ([[1, 3], [2, 1]], [4, 4], [2, 2], 3, ()),
}


def loss_and_gradient(engine, targets, times, lengths, blank, holes):
    engine.manual_seed(0)
    x = engine.randn(4, 2, 4).log_softmax(-1)
    for place in holes:
        x[place] = NONE
    x.requires_grad_()
    sizes = engine.tensor(times), engine.tensor(lengths)
    loss = engine.nn.functional.ctc_loss(
        x, engine.tensor(targets), *sizes, blank=blank, reduction="none"
    )
    loss.sum().backward()
    return loss.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_way_is_pytorch_s(name):
    ours, theirs = (loss_and_gradient(engine, *CASES[name]) for engine in (torch, real_torch))
    if name.startswith("a blank"):  # of which PyTorch forgets a part in the last gradient
        ours[1][-1], theirs[1][-1] = 0, 0
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
