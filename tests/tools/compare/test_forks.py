"""Choices that rounding makes the other way: which operations make them, and how it is told."""

import numpy as np
import pytest

import tinygrad_mnist as torch
from tinygrad_mnist.engine.observer import observe
from tinygrad_mnist.nn import functional as F
from tinygrad_mnist.tools.compare.differences import Bounds
from tinygrad_mnist.tools.compare.forks import Choices

TINY = np.float32(2**-24)
AT_ZERO = [4.0, TINY, -2.0], [4.0, -TINY, -2.0]
AT_ONE = [4.0, 1 + 2 * TINY, -2.0], [4.0, 1 - TINY, -2.0]
TIE = [-3.0, 2.0, 2 + 4 * TINY, 1.0], [-3.0, 2 + 4 * TINY, 2.0, 1.0]
CHOOSE = {
    "relu": (torch.relu, AT_ZERO),
    "leaky_relu": (F.leaky_relu, AT_ZERO),
    "abs": (torch.abs, AT_ZERO),
    "sign": (torch.sign, AT_ZERO),
    "clamp": (lambda x: x.clamp(-1, 1), AT_ONE),
    "hardtanh": (F.hardtanh, AT_ONE),
    "relu6": (lambda x: F.relu6(x * 6), AT_ONE),
    "softshrink": (lambda x: F.softshrink(x, 1.0), AT_ONE),
    "ceil": (torch.ceil, AT_ONE),
    "greater": (lambda x: x * (x > 0), AT_ZERO),
    "where": (lambda x: torch.where(x > 1, x, 0 * x), AT_ONE),
    "maximum": (lambda x: torch.maximum(x, torch.ones(3)), AT_ONE),
    "max": (lambda x: x.max(0).values, TIE),
    "amax": (lambda x: x.amax(0), TIE),
    "sort": (lambda x: x.sort().values, TIE),
    "topk": (lambda x: x.topk(1).values, TIE),
    "gather": (lambda x: x[x.argmax()], TIE),
    "max_pool1d": (lambda x: F.max_pool1d(x.view(1, 1, 4), 4), TIE),
    "max_pool2d": (lambda x: F.max_pool2d(x.view(1, 1, 2, 2), 2), TIE),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x.view(1, 1, 4), 1), TIE),
    "relu_": (lambda x: (x * 1).relu_(), AT_ZERO),
}
SMOOTH = [torch.exp, torch.sigmoid, torch.tanh, F.gelu, F.softmax, torch.cumsum, torch.prod]


def forks(function, ours, theirs):
    """What is noted when a function is computed on our numbers, PyTorch having others."""
    x, results = (torch.tensor(each, requires_grad=True) for each in (ours, theirs))
    wanted = function(results * 1)
    choices = Choices(7, [each.detach().numpy() for each in (results, wanted)], Bounds())
    with observe(choices):
        y = function(x * 1)
    assert torch.equal(y, wanted)
    gradients = [torch.autograd.grad(*each)[0] for each in ((y.sum(), x), (wanted.sum(), results))]
    assert torch.equal(*gradients)
    return choices.forks


@pytest.mark.parametrize("name", CHOOSE)
def test_what_chooses_is_named_and_takes_pytorchs_choice(name):
    function, (ours, theirs) = CHOOSE[name]
    (fork,) = forks(function, ours, theirs)
    assert fork.step == 7
    assert fork.ulp <= 2
    assert fork.place.rpartition("\0")[0] == __file__
    assert all(abs(a - b) <= 32 * TINY for _, a, b in fork.elements)


@pytest.mark.parametrize("function", SMOOTH)
def test_what_is_smooth_is_not_named(function):
    arguments = {} if function not in (F.softmax, torch.cumsum) else {"dim": 0}
    for ours, theirs in (AT_ZERO, AT_ONE, TIE):
        assert not forks(lambda x: function(x, **arguments), ours, theirs)
